//! A file that a command writes: under a temporary name, until it is complete.

use std::{
    fs::Permissions,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf, absolute},
};

use tempfile::{Builder, NamedTempFile};
use tokio::signal::unix::{SignalKind, signal};

use crate::db;

/// A file that only its owner can read. It is removed unless it is [kept](Self::keep).
pub(super) struct NewFile {
    pub(super) file: NamedTempFile,
    path: PathBuf,
}

impl NewFile {
    /// Creates the file, without a content, beside `path`, which must not exist. The error is one
    /// sentence for the operator.
    pub(super) fn create(path: &Path) -> Result<Self, String> {
        let failed = |error| format!("cannot create `{}`: {error}", path.display());
        if path.symlink_metadata().is_ok() {
            return Err(format!(
                "`{}` exists already; remove it or choose another name",
                path.display()
            ));
        }
        let full = absolute(path).map_err(failed)?;
        Ok(Self {
            file: beside(&full).map_err(failed)?,
            path: full,
        })
    }

    /// Gives the complete file its name, durably.
    pub(super) fn keep(self) -> Result<(), String> {
        let Self { file, path } = self;
        let kept = || {
            file.as_file().sync_all()?;
            file.persist_noclobber(&path).map_err(|error| error.error)?;
            db::sync_folder(&path)
        };
        kept().map_err(|error| format!("cannot write `{}`: {error}", path.display()))
    }
}

/// A temporary file in the folder of `path`, which only its owner can read.
pub(super) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    Builder::new()
        .prefix(&prefix)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(db::folder(path))
}

/// Runs `work` until its end, or until SIGINT or SIGTERM. Then temporary files are removed, as after
/// an error.
pub(super) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let handler =
        |kind| signal(kind).map_err(|error| format!("cannot install signal handlers: {error}"));
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut terminate = handler(SignalKind::terminate())?;
    tokio::select! {
        outcome = work => outcome,
        _ = interrupt.recv() => Err("interrupted".to_owned()),
        _ = terminate.recv() => Err("interrupted".to_owned()),
    }
}
