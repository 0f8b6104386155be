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
    installed: Installed,
}

/// The files of a cluster, and the port of its server.
struct Installed {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
}

/// The server of `TEST_DATABASE_URL`, or a temporary one, or `None` if PostgreSQL is not installed.
pub fn find() -> Option<Server> {
    if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
        return Some(Server { url, cluster: None });
    }
    programs().map(|programs| start(Installed::new(&programs)))
}

/// A temporary server for one test, until it is dropped.
///
/// It has a thread of its own, because the kernel kills PostgreSQL when the thread that started it
/// ends, and threads of the runtime end when they are idle.
pub struct OwnServer {
    pub url: String,
    orders: Option<mpsc::Sender<(Order, oneshot::Sender<u32>)>>,
    /// The process id of the postmaster.
    id: u32,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    /// Ends the processes by this signal, if any, and does not start again.
    End(&'static str),
    Start,
}

impl OwnServer {
    /// PostgreSQL must be installed.
    pub async fn start() -> Self {
        Self::run(Installed::new).await
    }

    /// A streaming replica of this server, which must run.
    pub async fn replica(&self) -> Self {
        let primary = url::Url::parse(&self.url).expect("not a URL");
        let port = primary.port().expect("no port");
        Self::run(move |programs| Installed::replica(programs, port)).await
    }

    async fn run(install: impl FnOnce(&Path) -> Installed + Send + 'static) -> Self {
        let (started, ready) = oneshot::channel();
        let (orders, order) = mpsc::channel::<(Order, oneshot::Sender<u32>)>();
        let thread = std::thread::spawn(move || {
            let programs = programs().expect("PostgreSQL is not installed");
            let server = start(install(&programs));
            let mut cluster = server.cluster.expect("it has a cluster");
            let _ = started.send((server.url, cluster.process.id()));
            // Ends when the sender is dropped.
            while let Ok((order, done)) = order.recv() {
                match order {
                    Order::End(signal) => {
                        super::process::signal(cluster.process.id(), signal);
                        let _ = cluster.process.wait();
                    }
                    Order::Start => cluster.process = cluster.installed.run(),
                }
                let _ = done.send(cluster.process.id());
            }
        });
        let (url, id) = ready.await.expect("PostgreSQL did not start");
        Self {
            url,
            orders: Some(orders),
            id,
            thread: Some(thread),
        }
    }

    /// Ends the server: by `KILL` as a crash does, by `INT` in order.
    pub async fn end(&mut self, signal: &'static str) {
        self.order(Order::End(signal)).await;
    }

    /// Starts it again, and returns when it accepts connections.
    pub async fn start_again(&mut self) {
        self.id = self.order(Order::Start).await;
    }

    /// Sends `signal` to all its processes: `STOP` freezes them, `CONT` ends that.
    pub fn signal_all(&self, signal: &str) {
        super::process::signal(self.id, signal);
        // One may have ended meanwhile.
        for child in children(self.id) {
            super::process::send(child, signal);
        }
    }

    async fn order(&self, order: Order) -> u32 {
        let (done, id) = oneshot::channel();
        let orders = self.orders.as_ref().expect("it runs until it is dropped");
        orders.send((order, done)).expect("the thread has ended");
        id.await.expect("PostgreSQL failed")
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The processes that process `id` started.
fn children(id: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("no /proc");
    let is_child = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name of the program, in brackets, may contain anything.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        fields.split_whitespace().nth(1) == Some(&id.to_string())
    };
    processes
        .flatten()
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter(is_child)
        .collect()
}

/// The folder of the server's programs: from the PATH, or the newest version in Debian's folder.
pub fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    debian.sort();
    // Links to some of the programs do not lead to the others.
    let is_complete = |folder: &PathBuf| {
        let programs = ["initdb", "pg_basebackup", "postgres"];
        programs.iter().all(|program| folder.join(program).exists())
    };
    std::env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(is_complete)
}

fn start(installed: Installed) -> Server {
    Server {
        url: installed.url(),
        cluster: Some(Cluster {
            process: installed.run(),
            installed,
        }),
    }
}

impl Installed {
    /// It has a certificate, but TLS is off: sqlx waits twice for a delayed acknowledgement, 80 ms in all, each
    /// time it connects over TLS.
    fn new(programs: &Path) -> Self {
        let arguments = "-U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync";
        let installed = Self::by(programs, "initdb", arguments);
        certificate(&installed.folder.path().join("data"), unprivileged());
        installed
    }

    /// A copy of the cluster on `port` that follows it.
    fn replica(programs: &Path, port: u16) -> Self {
        let arguments = format!(
            "-h 127.0.0.1 -p {port} -U postgres --write-recovery-conf --checkpoint=fast --no-sync"
        );
        Self::by(programs, "pg_basebackup", &arguments)
    }

    /// The files that `program` creates in the folder of its option `-D`.
    fn by(programs: &Path, program: &str, arguments: &str) -> Self {
        let folder = tempfile::tempdir().expect("no folder");
        let user = unprivileged();
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("no folder");
        // The server refuses a folder that others can read.
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("no mode");
        change_owner(folder.path(), user);
        change_owner(&data, user);
        let output = run_as(user, &programs.join(program))
            .args(arguments.split(' '))
            .arg("-D")
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .expect("the program did not start");
        assert!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("no port")
            .port();
        Self {
            folder,
            programs: programs.to_owned(),
            port,
        }
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts the server, and returns when it accepts connections.
    fn run(&self) -> Child {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("no runtime");
        let deadline = Instant::now() + Duration::from_secs(30);
        // While connections are refused, the pool tries again until this time has passed.
        let options = sea_orm::ConnectOptions::new(self.url())
            .acquire_timeout(Duration::from_millis(500))
            .to_owned();
        let mut process = self.spawn();
        while runtime
            .block_on(sea_orm::Database::connect(options.clone()))
            .is_err()
        {
            assert!(
                Instant::now() < deadline,
                "PostgreSQL did not get ready:\n{}",
                fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
            // After a crash it refuses to start until the processes of the last server have ended.
            if process.try_wait().is_ok_and(|ended| ended.is_some()) {
                process = self.spawn();
            }
        }
        process
    }

    fn spawn(&self) -> Child {
        let folder = self.folder.path();
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"));
        run_as(unprivileged(), &self.programs.join("postgres"))
            .arg("-D")
            .arg(folder.join("data"))
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", &format!("port={}", self.port)])
            .args([
                "-c",
                "unix_socket_directories=",
                "-c",
                "max_connections=300",
            ])
            // Tests do not cut the power, so they need no durability.
            .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("no log"))
            .spawn()
            .expect("postgres did not start")
    }

    fn version(&self) -> String {
        let version = Command::new(self.programs.join("postgres"))
            .arg("--version")
            .output();
        version
            .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
            .unwrap_or_default()
    }
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
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            super::process::signal(self.process.id(), "INT");
        }
        let _ = self.process.wait();
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cluster {
            Some(cluster) => write!(f, "{}, a temporary cluster", cluster.installed.version()),
            None => f.write_str("the PostgreSQL of TEST_DATABASE_URL"),
        }
    }
}
