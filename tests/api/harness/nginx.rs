//! A real proxy in front of the service.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{ignore, process, service::Service};

/// A running nginx, until it is dropped.
pub struct Nginx {
    process: Child,
    _folder: tempfile::TempDir,
    /// A client of the service that connects through the proxy.
    pub service: Service,
}

impl Nginx {
    /// Starts nginx on loopback with one server that has `location`. The test is ignored if nginx is not
    /// installed.
    pub fn start(location: &str) -> Self {
        let program = program().unwrap_or_else(|| ignore("nginx is not installed"));
        let folder = tempfile::tempdir().expect("no folder");
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("no port");
        let path = folder.path().display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|part| format!("{part}_temp_path {path}/{part};"))
            .join("\n");
        let configuration = format!(
            "daemon off;\npid {path}/pid;\nerror_log {path}/log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\nserver {{\nlisten {address};\n{location}\n}}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration).expect("not written");
        let log = folder.path().join("log");
        // The kernel kills nginx when this process ends for any reason.
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(program)
            .arg("-e")
            .arg(&log)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx did not start");
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            let ended = process.try_wait().expect("no nginx");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "nginx did not get ready: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Self {
            process,
            _folder: folder,
            service: Service::new(format!("http://{address}")),
        }
    }
}

/// Debian installs nginx in `/usr/sbin`, which is on the PATH of root only.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("nginx"))
        .find(|program| program.exists())
}

impl Drop for Nginx {
    fn drop(&mut self) {
        process::signal(self.process.id(), "TERM");
        let _ = self.process.wait();
    }
}
