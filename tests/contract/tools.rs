//! Third-party programs that `tests/contract/install` installs.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

/// The time limit of each tool.
pub const TIMEOUT: Duration = Duration::from_mins(8);

/// A path in the project.
pub fn project(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The committed OpenAPI document.
pub fn document() -> PathBuf {
    project("docs/openapi.json")
}

/// A path in the folder for the files of tests, which a later run finds again.
pub fn temporary(path: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(path)
}

/// An empty folder for a client that is generated once and runs on each database.
pub fn client_folder(name: &str) -> PathBuf {
    let folder = temporary("clients").join(name);
    // It may not exist yet.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("no folder");
    folder
}

/// A command for `name` in `folder`.
pub fn tool(name: &str, folder: &Path) -> Command {
    let folders = [
        "tests/contract/.venv/bin",
        "tests/contract/node_modules/.bin",
    ]
    .map(project);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: OsString =
        std::env::join_paths(folders.iter().cloned().chain(std::env::split_paths(&path)))
            .expect("a folder name contains a colon");
    let program = folders.iter().map(|folder| folder.join(name));
    let program = program.into_iter().find(|program| program.exists());
    let mut command = Command::new(program.unwrap_or_else(|| name.into()));
    command
        .current_dir(folder)
        .env("PATH", path)
        // The service runs on this machine, so no proxy applies.
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Asserts that `command` succeeds and returns its output.
pub async fn succeeds(command: &mut Command) -> String {
    let running = command.output();
    let output = tokio::time::timeout(TIMEOUT, running)
        .await
        .expect("the tool took too long")
        .expect("the tool did not start: run tests/contract/install");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(output.status.success(), "{}\n{printed}", output.status);
    printed
}
