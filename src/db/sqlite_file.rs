//! Copies, checks and replaces the file of an SQLite database.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, fchown},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, fcntl_lock};
use sqlx::{
    ConnectOptions, Connection,
    error::DatabaseError,
    query, query_scalar,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use tempfile::NamedTempFile;

use super::{BUSY_TIMEOUT, inspect::damage};

/// Suffixes of the files beside a database that have a part of its data.
const COMPANIONS: [&str; 2] = ["-wal", "-journal"];
/// Maximum number of old databases that are kept in one folder.
const MAX_KEPT: u32 = 1_000;

/// The result of [`check`].
#[derive(Debug)]
pub struct Checked {
    /// The first errors that SQLite found. Empty if the file is sound.
    pub damage: Vec<String>,
    /// The applied migrations. Empty if the file is not a database of Acclaim.
    pub migrations: Vec<String>,
}

/// The reason for which a database was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum Occupied {
    /// Another program has it open.
    #[error("another program uses it; stop the service first")]
    InUse,
    /// A file cannot be changed.
    #[error("{0}")]
    File(#[from] io::Error),
}

/// Copies the database of `options` to `to`, an existing empty file with an absolute path.
///
/// The copy has the state at the beginning. Writers do not wait for it, and until its end the
/// write-ahead log grows with their writes. Unlike the pages of the file, the copy has no deleted rows.
pub async fn back_up(options: &SqliteConnectOptions, to: &Path) -> Result<(), sqlx::Error> {
    // Not read-only: SQLite must undo a transaction that was killed.
    let options = options.clone().busy_timeout(BUSY_TIMEOUT);
    let mut connection = options.connect().await?;
    let to = to.to_str().ok_or_else(|| {
        sqlx::Error::Configuration(format!("`{}` is not UTF-8", to.display()).into())
    })?;
    let _journal = Journal(with(Path::new(to), "-journal"));
    let copy = query("VACUUM INTO ?").bind(to.to_owned());
    copy.execute(&mut connection).await?;
    connection.close().await
}

/// The journal of a copy in progress, which would remain if the process ends before the copy.
struct Journal(PathBuf);

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = remove_if_exists(&self.0);
    }
}

/// The file beside the database `file` that has a part of its data, if there is one.
pub fn companion(file: &Path) -> io::Result<Option<PathBuf>> {
    // SQLite follows a symbolic link, and has its other files beside the file itself.
    let file = file.canonicalize()?;
    let mut companions = COMPANIONS.iter().map(|suffix| with(&file, suffix));
    let has_data = |companion: &PathBuf| companion.metadata().is_ok_and(|it| it.len() > 0);
    Ok(companions.find(has_data))
}

/// Reads all of `file`, which nobody writes to, and looks for damage.
pub async fn check(file: &Path) -> Result<Checked, sqlx::Error> {
    const MIGRATIONS: &str = "SELECT version FROM seaql_migrations ORDER BY version";
    const TABLE: &str = "SELECT name FROM sqlite_master WHERE name = 'seaql_migrations'";
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = options.immutable(true).connect().await?;
    let found = query_scalar("PRAGMA integrity_check(10)");
    let found: Vec<String> = found.fetch_all(&mut connection).await?;
    let mut damage = damage(&found);
    let broken = query_scalar("SELECT count(*) FROM pragma_foreign_key_check");
    let broken: i64 = broken.fetch_one(&mut connection).await?;
    if broken > 0 {
        damage.push(format!("{broken} rows refer to rows that do not exist"));
    }
    let has_migrations = query(TABLE).fetch_optional(&mut connection).await?;
    let migrations = match has_migrations {
        Some(_) => query_scalar(MIGRATIONS).fetch_all(&mut connection).await?,
        None => Vec::new(),
    };
    connection.close().await?;
    Ok(Checked { damage, migrations })
}

/// Puts `new` in the place of the database `target`, in one step. Returns the path under which the old
/// database is kept, if there was one.
///
/// # Errors
/// If another program uses the database. Nothing is changed then. A program that opens the database
/// during the last milliseconds is not noticed: stop the service before.
pub async fn replace(new: NamedTempFile, target: &Path) -> Result<Option<PathBuf>, Occupied> {
    settle(target).await?;
    let old = match OpenOptions::new().read(true).write(true).open(target) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(old) = &old {
        // Until `old` is closed, SQLite gets no lock on it: each of its locks is on a part of the file.
        lock(old)?;
        let (old, owner) = (old.metadata()?, new.as_file().metadata()?);
        if (old.uid(), old.gid()) != (owner.uid(), owner.gid()) {
            fchown(new.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    let kept = keep(target, old.is_some())?;
    // A database that SQLite cannot open, or that is missing, still has them. SQLite would apply them to
    // the new one.
    for suffix in COMPANIONS {
        move_if_exists(&with(target, suffix), &with(&kept, suffix))?;
    }
    remove_if_exists(&with(target, "-shm"))?;
    new.persist(target).map_err(|error| error.error)?;
    sync_folder(target)?;
    Ok(old.map(|_| kept))
}

/// Makes a change of names in the folder of `file` durable.
pub fn sync_folder(file: &Path) -> io::Result<()> {
    File::open(folder(file))?.sync_all()
}

/// The folder of `file`.
#[must_use]
pub fn folder(file: &Path) -> &Path {
    let parent = file.parent().filter(|path| *path != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

/// Moves all data of the database to its file, if SQLite can open it and no other program has.
async fn settle(target: &Path) -> Result<(), Occupied> {
    if !target.exists() {
        return Ok(());
    }
    let options = SqliteConnectOptions::new().filename(target);
    // To leave the mode of the service, a connection must be the only one.
    let options = options.journal_mode(SqliteJournalMode::Delete);
    match options.busy_timeout(Duration::ZERO).connect().await {
        Ok(connection) => {
            // A failure leaves the files as they are.
            let _ = connection.close().await;
            Ok(())
        }
        Err(error) if is_busy(&error) => Err(Occupied::InUse),
        // It is damaged, which may be the reason for its replacement.
        Err(_) => Ok(()),
    }
}

/// True if another program has a lock on the file: `SQLITE_BUSY` or one of its extended codes.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    // A code of PostgreSQL has five characters.
    let code = code.filter(|code| code.len() < 5);
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

fn lock(file: &File) -> Result<(), Occupied> {
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Err(Occupied::InUse),
        Err(error) => Err(Occupied::File(error.into())),
    }
}

/// Gives the file `target` a second name, which is free, if it exists. Returns that name.
fn keep(target: &Path, exists: bool) -> io::Result<PathBuf> {
    for number in 1..=MAX_KEPT {
        let name = with(target, &format!(".old-{number}"));
        if name.exists() {
            continue;
        }
        if exists {
            fs::hard_link(target, &name)?;
        }
        return Ok(name);
    }
    let message = format!("there are {MAX_KEPT} old databases beside it; remove some");
    Err(io::Error::other(message))
}

fn with(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    name.into()
}

fn move_if_exists(from: &Path, to: &Path) -> io::Result<()> {
    unless_missing(fs::rename(from, to))
}

fn remove_if_exists(file: &Path) -> io::Result<()> {
    unless_missing(fs::remove_file(file))
}

fn unless_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
