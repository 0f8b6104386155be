//! The `acclaim` binary as a child process.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Output, Stdio},
};

use acclaim::config::SETTINGS;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use super::service::Service;

/// `acclaim` in `folder` with only these settings in its environment, and all limits off. Its clock is
/// that of this process.
pub fn acclaim(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acclaim"));
    let names = SETTINGS.iter().map(|setting| setting.name);
    let limits = names.filter(|name| name.starts_with("RATE_LIMIT_"));
    command
        .args(arguments)
        .env_clear()
        .envs(shifted_clock())
        .envs(limits.map(|name| (name, "off")))
        .envs(settings.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The variables by which `faketime` shifts the clock of this process, if it does.
pub fn shifted_clock() -> impl Iterator<Item = (OsString, OsString)> {
    let shifts = |name: &OsStr| name == "LD_PRELOAD" || name.as_bytes().starts_with(b"FAKETIME");
    let shifted = std::env::var_os("FAKETIME").is_some();
    std::env::vars_os().filter(move |(name, _)| shifted && shifts(name))
}

/// The output and the exit code of a finished `acclaim` process.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("not UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("not UTF-8"),
        }
    }
}

/// Runs `acclaim` until it ends.
pub async fn run(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
    let output = acclaim(folder, arguments, settings).output().await;
    output.expect("acclaim did not start").into()
}

/// Like [`run`], with `input` on the standard input.
pub async fn run_with(
    folder: &Path,
    arguments: &[&str],
    settings: &[(&str, &str)],
    input: &str,
) -> Ended {
    let mut command = acclaim(folder, arguments, settings);
    let mut process = command
        .stdin(Stdio::piped())
        .spawn()
        .expect("acclaim did not start");
    let mut stdin = process.stdin.take().expect("no stdin");
    stdin
        .write_all(input.as_bytes())
        .await
        .expect("cannot write to stdin");
    drop(stdin);
    process
        .wait_with_output()
        .await
        .expect("cannot wait for acclaim")
        .into()
}

/// A running `acclaim serve`, on a port that the system assigned if its settings have none.
pub struct Running {
    process: Child,
    log: JoinHandle<String>,
    pub service: Service,
    /// The URL of its metrics, if they are on.
    pub metrics: Option<String>,
}

impl Running {
    pub async fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        // Unless `settings` have a port.
        let mut with_port = vec![("PORT", "0")];
        with_port.extend(settings);
        let mut process = acclaim(folder, &[], &with_port)
            .spawn()
            .expect("acclaim did not start");
        let mut log = BufReader::new(process.stderr.take().expect("no stderr"));
        let (mut seen, mut metrics) = (String::new(), None);
        let base = loop {
            let from = seen.len();
            let read = log.read_line(&mut seen).await.expect("cannot read the log");
            assert!(read > 0, "acclaim ended: {seen}");
            if let Some((_, url)) = seen[from..].split_once("serving metrics on ") {
                metrics = Some(url.trim_end().to_owned());
            }
            if let Some((_, rest)) = seen[from..].split_once("serving on ") {
                break rest.split(',').next().expect("no address").to_owned();
            }
        };
        // An unread pipe would fill up and block the server.
        let log = tokio::spawn(async move {
            let mut rest = String::new();
            log.read_to_string(&mut rest)
                .await
                .expect("cannot read the log");
            rest
        });
        Self {
            process,
            log,
            service: Service::new(base),
            metrics,
        }
    }

    pub fn signal(&self, name: &str) {
        signal(self.process.id().expect("acclaim has ended"), name);
    }

    /// Resident memory, in KiB.
    #[cfg(target_os = "linux")]
    pub fn resident(&self) -> u64 {
        let id = self.process.id().expect("acclaim has ended");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("no status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let size = line.and_then(|line| line.split_whitespace().nth(1));
        size.and_then(|size| size.parse().ok()).expect("no VmRSS")
    }

    /// The number of open files.
    #[cfg(target_os = "linux")]
    pub fn open_files(&self) -> usize {
        let id = self.process.id().expect("acclaim has ended");
        std::fs::read_dir(format!("/proc/{id}/fd"))
            .expect("no files")
            .count()
    }

    /// Waits for the end and returns the exit code and the log since the start of serving.
    pub async fn end(mut self) -> (Option<i32>, String) {
        let log = self.log.await.expect("cannot read the log");
        let status = self.process.wait().await.expect("cannot wait for acclaim");
        (status.code(), log)
    }
}

/// Sends signal `name` to process `id`.
pub fn signal(id: u32, name: &str) {
    assert!(send(id, name), "cannot signal process {id}");
}

/// Sends signal `name` to process `id`. Returns false if there is none.
pub fn send(id: u32, name: &str) -> bool {
    // Uses the builtin of bash, because a minimal Debian has no `kill` program.
    let sent = std::process::Command::new("bash")
        .args(["-c", &format!("kill -{name} {id}")])
        .stderr(Stdio::null())
        .status();
    sent.expect("no bash").success()
}
