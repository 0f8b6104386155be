//! Checks file permissions, disk space and the limit of open files.

use std::{env, fs, os::unix::fs::MetadataExt, path::Path};

use rustix::{
    fs::{Access, access, statvfs},
    process::{Resource, getrlimit},
};

use super::{Finding, Level};
use crate::config;

/// Recommended minimum of open files: one per connection, plus the database's.
const MIN_OPEN_FILES: u64 = 1024;
/// Free disk space below which to warn. SQLite's write-ahead log alone may keep 64 MiB.
const LOW_SPACE: u64 = 256 * MIB;
/// Free disk space below which writes are about to fail.
const CRITICAL_SPACE: u64 = 16 * MIB;
const MIB: u64 = 1024 * 1024;

/// Checks the permissions of `.env`, if it exists.
pub(super) fn dotenv() -> Option<Finding> {
    let folder = env::current_dir().ok()?;
    let file = folder.ancestors().map(|folder| folder.join(".env"));
    let file = file.into_iter().find(|file| file.is_file())?;
    // It usually contains the secret that signs tokens.
    Some(check_private(".env", &file, 0o006))
}

/// Checks the permissions of the files that settings such as `JWT_KEY_FILE` name.
pub(super) fn secrets() -> Vec<Finding> {
    let files = config::secret_files().into_iter();
    files
        .map(|(setting, file)| check_private(setting, &file, 0o006))
        .collect()
}

/// Checks that the SQLite file is private and writable, and that its directory has free space.
pub(super) fn sqlite(file: &Path) -> Vec<Finding> {
    let mut findings = folder(file);
    if access(file, Access::WRITE_OK).is_err() {
        let message = format!(
            "`{}` is not writable; change its owner with `chown`",
            file.display()
        );
        findings.push(Finding::fault("file", message));
    }
    // A readable file is only a warning, because its directory may deny access to others.
    findings.push(check_private("file", file, 0o002));
    findings
}

/// Checks that SQLite can create its write-ahead log next to `file`, and that there is free disk space.
pub(super) fn folder(file: &Path) -> Vec<Finding> {
    const SUBJECT: &str = "folder";
    let parent = file.parent().filter(|path| *path != Path::new(""));
    let folder = parent.unwrap_or(Path::new("."));
    let shown = folder.display();
    if let Err(error) = access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        let message = format!(
            "`{shown}` is not writable: {error}; create it, or change its owner with `chown`"
        );
        return vec![Finding::fault(SUBJECT, message)];
    }
    let Ok(disk) = statvfs(folder) else {
        return Vec::new();
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let (level, remedy) = match free {
        ..CRITICAL_SPACE => (Level::Fault, "; free disk space"),
        CRITICAL_SPACE..LOW_SPACE => (Level::Warning, "; free disk space"),
        _ => (Level::Ok, ""),
    };
    let free = free / MIB;
    let message = format!("`{shown}` is writable and has {free} MiB of free space{remedy}");
    vec![Finding::new(level, SUBJECT, message)]
}

/// Checks the maximum of the limit of open files. `serve` raises the limit to it.
pub(super) fn limit() -> Finding {
    const SUBJECT: &str = "open files";
    match getrlimit(Resource::Nofile).maximum {
        Some(limit) if limit < MIN_OPEN_FILES => Finding::warning(
            SUBJECT,
            format!(
                "the limit is {limit}, and each connection needs one; raise it with `ulimit -n 65536` or LimitNOFILE= in systemd"
            ),
        ),
        Some(limit) => Finding::ok(SUBJECT, format!("the limit is {limit}")),
        None => Finding::ok(SUBJECT, "there is no limit"),
    }
}

/// Checks that only the owner can read and write `file`. Any permission bit in `forbidden` is a
/// fault; other access for the group or others is a warning.
fn check_private(subject: &'static str, file: &Path, forbidden: u32) -> Finding {
    let shown = file.display();
    let mode = match fs::metadata(file) {
        Ok(metadata) => metadata.mode() & 0o777,
        Err(error) => {
            return Finding::fault(subject, format!("`{shown}` cannot be inspected: {error}"));
        }
    };
    let message =
        format!("`{shown}` (mode {mode:o}) is accessible to other users; run `chmod 600 {shown}`");
    if mode & forbidden != 0 {
        Finding::fault(subject, message)
    } else if mode & 0o066 != 0 {
        Finding::warning(subject, message)
    } else {
        Finding::ok(
            subject,
            format!("`{shown}` is accessible only to its owner"),
        )
    }
}
