//! Files that others could read, and what the operating system gives.

use std::{env, fs, os::unix::fs::MetadataExt, path::Path};

use rustix::{
    fs::{Access, access, statvfs},
    process::{Resource, getrlimit},
};

use super::{Finding, Level};
use crate::config;

/// Fewest open files: one a connection, beside the database's.
const OPEN_FILES: u64 = 1024;
/// Room on the disk below which it is tight: SQLite's write-ahead log is cut back to 64 MiB only.
const TIGHT: u64 = 256 * MIB;
/// Room on the disk below which writes are about to fail.
const FULL: u64 = 16 * MIB;
const MIB: u64 = 1024 * 1024;

/// Permissions of the `.env` that settings are read from, if there is one.
pub(super) fn dotenv() -> Option<Finding> {
    let folder = env::current_dir().ok()?;
    let file = folder.ancestors().map(|folder| folder.join(".env"));
    let file = file.into_iter().find(|file| file.is_file())?;
    // It holds the secret that signs tokens.
    Some(private(".env", &file, 0o006))
}

/// Permissions of the file of keys, if there is one.
pub(super) fn keys() -> Option<Finding> {
    Some(private("JWT_KEY_FILE", &config::key_file_path()?, 0o006))
}

/// Permissions of SQLite's file, and whether it can be written and has room to grow.
pub(super) fn sqlite(file: &Path) -> Vec<Finding> {
    let mut findings = folder(file);
    if access(file, Access::WRITE_OK).is_err() {
        let said = format!("`{}` cannot be written; `chown` it", file.display());
        findings.push(Finding::fault("file", said));
    }
    // A folder that others cannot enter keeps a readable file from them: a warning.
    findings.push(private("file", file, 0o002));
    findings
}

/// Whether SQLite can keep its log beside `file`, and has room to grow.
pub(super) fn folder(file: &Path) -> Vec<Finding> {
    const WHAT: &str = "folder";
    let parent = file.parent().filter(|path| *path != Path::new(""));
    let folder = parent.unwrap_or(Path::new("."));
    let shown = folder.display();
    if let Err(error) = access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        let said = format!("`{shown}` cannot be written: {error}; make it, or `chown` it");
        return vec![Finding::fault(WHAT, said)];
    }
    let Ok(disk) = statvfs(folder) else {
        return Vec::new();
    };
    let room = disk.f_bavail.saturating_mul(disk.f_frsize);
    let (level, remedy) = match room {
        ..FULL => (Level::Fault, "; make room"),
        FULL..TIGHT => (Level::Warning, "; make room"),
        _ => (Level::Ok, ""),
    };
    let room = room / MIB;
    let said = format!("`{shown}` can be written and has {room} MiB left{remedy}");
    vec![Finding::new(level, WHAT, said)]
}

/// How many files this program may open.
pub(super) fn limit() -> Finding {
    const WHAT: &str = "open files";
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < OPEN_FILES => Finding::warning(
            WHAT,
            format!(
                "{limit} at most, and each connection takes one; raise it: `ulimit -n 65536`, or LimitNOFILE= of systemd"
            ),
        ),
        Some(limit) => Finding::ok(WHAT, format!("{limit} at most")),
        None => Finding::ok(WHAT, "without limit"),
    }
}

/// Whether nobody but its owner may read or change `file`; a fault where others have a right of
/// the bits `never`.
fn private(what: &'static str, file: &Path, never: u32) -> Finding {
    let shown = file.display();
    let mode = match fs::metadata(file) {
        Ok(metadata) => metadata.mode() & 0o777,
        Err(error) => return Finding::fault(what, format!("`{shown}` cannot be seen: {error}")),
    };
    let said =
        format!("`{shown}` (mode {mode:o}) is not its owner's alone; run `chmod 600 {shown}`");
    if mode & never != 0 {
        Finding::fault(what, said)
    } else if mode & 0o066 != 0 {
        Finding::warning(what, said)
    } else {
        Finding::ok(what, format!("`{shown}` is its owner's alone"))
    }
}
