//! The PostgreSQL server for the tests.

use std::{
    fmt, fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

/// A server with the URL of a database. Its user must be allowed to create databases.
pub struct Server {
    pub url: String,
    cluster: Option<Cluster>,
}

struct Cluster {
    process: Child,
    _folder: tempfile::TempDir,
    version: String,
}

/// The server of `TEST_DATABASE_URL`, or a temporary one, or `None` if PostgreSQL is not installed.
pub fn find() -> Option<Server> {
    if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
        return Some(Server { url, cluster: None });
    }
    temporary()
}

/// A temporary server, or `None` if PostgreSQL is not installed.
fn temporary() -> Option<Server> {
    programs().map(|programs| start(&programs))
}

/// A temporary server for one test, until it is dropped.
///
/// It has a thread of its own, because the kernel kills PostgreSQL when the thread that started it
/// ends, and threads of the runtime end when they are idle.
pub struct OwnServer {
    pub url: String,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl OwnServer {
    /// `None` if PostgreSQL is not installed.
    pub async fn start() -> Option<Self> {
        let (started, url) = oneshot::channel();
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let server = temporary();
            let _ = started.send(server.as_ref().map(|server| server.url.clone()));
            // Returns an error when the sender is dropped.
            let _ = stopped.recv();
        });
        Some(Self {
            url: url.await.expect("PostgreSQL did not start")?,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The folder of `initdb` and `postgres`: from the PATH, or the newest version in Debian's folder.
pub fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    debian.sort();
    std::env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

fn start(programs: &Path) -> Server {
    let folder = tempfile::tempdir().expect("no folder");
    let user = unprivileged();
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("no folder");
    change_owner(folder.path(), user);
    change_owner(&data, user);
    let initdb = run_as(user, &programs.join("initdb"))
        .args(["-U", "postgres", "--auth=trust", "--encoding=UTF8"])
        .args(["--locale=C.UTF-8", "--no-sync", "-D"])
        .arg(&data)
        .current_dir(folder.path())
        .output()
        .expect("initdb did not start");
    assert!(
        initdb.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&initdb.stderr)
    );
    certificate(&data, user);
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("no port")
        .port();
    let log = fs::File::create(folder.path().join("log")).expect("no log");
    let process = run_as(user, &programs.join("postgres"))
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses=127.0.0.1"])
        .args(["-c", &format!("port={port}")])
        .args([
            "-c",
            "unix_socket_directories=",
            "-c",
            "max_connections=300",
        ])
        // Tests do not need durability.
        .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
        .args(["-c", "ssl=on"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("postgres did not start");
    let version = Command::new(programs.join("postgres"))
        .arg("--version")
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default();
    let server = Server {
        url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        cluster: Some(Cluster {
            process,
            _folder: folder,
            version,
        }),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("no runtime");
    let deadline = Instant::now() + Duration::from_secs(30);
    while runtime
        .block_on(sea_orm::Database::connect(&server.url))
        .is_err()
    {
        assert!(Instant::now() < deadline, "PostgreSQL did not get ready");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

/// The user and group id for PostgreSQL if this process runs as root. PostgreSQL does not run as root.
fn unprivileged() -> Option<(u32, u32)> {
    let root = tempfile::tempfile().is_ok_and(|file| {
        use std::os::unix::fs::MetadataExt;
        file.metadata().is_ok_and(|metadata| metadata.uid() == 0)
    });
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let line = passwd
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    root.then(|| {
        find("postgres")
            .or_else(|| find("nobody"))
            .expect("neither `postgres` nor `nobody` is a user")
    })
}

/// The kernel kills the program when this process ends for any reason.
fn run_as(user: Option<(u32, u32)>, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if let Some((uid, gid)) = user {
        command.arg(format!("--reuid={uid}"));
        command.args([&format!("--regid={gid}"), "--clear-groups"]);
    }
    command.arg(program);
    command
}

fn change_owner(path: &Path, user: Option<(u32, u32)>) {
    if let Some((uid, gid)) = user {
        chown(path, Some(uid), Some(gid)).expect("cannot change the owner");
    }
}

fn certificate(data: &Path, user: Option<(u32, u32)>) {
    let made =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("no certificate");
    for (name, text) in [
        ("server.crt", made.cert.pem()),
        ("server.key", made.signing_key.serialize_pem()),
    ] {
        let path = data.join(name);
        let mut file = fs::File::create(&path).expect("no file");
        file.write_all(text.as_bytes()).expect("not written");
        file.set_permissions(fs::Permissions::from_mode(0o600))
            .expect("cannot set the mode");
        change_owner(&path, user);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT closes all connections and shuts down cleanly.
        super::process::signal(self.process.id(), "INT");
        let _ = self.process.wait();
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cluster {
            Some(cluster) => write!(f, "{}, a temporary cluster", cluster.version),
            None => f.write_str("the PostgreSQL of TEST_DATABASE_URL"),
        }
    }
}
