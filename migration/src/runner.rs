//! Runs the commands.

use std::fmt;

use sea_orm_migration::{MigrationTrait, prelude::*, sea_orm::SqliteTransactionMode};

use crate::{
    Command, Database, Migrator,
    change::Run,
    database::Connected,
    history::{BASE, Entry, History, applied},
    script, support,
};

/// The error of a run. A failed run changes nothing, unless the error says so.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be opened. Contains one sentence for the operator.
    #[error("{0}")]
    Connect(String),
    /// The database lacks what the schema needs. Contains one sentence for the operator.
    #[error("{0}")]
    Unsupported(String),
    /// A newer version of this program applied a migration that this version does not know.
    #[error(
        "the database is newer than this program: it has the migration `{0}`; run a newer acclaim"
    )]
    Newer(String),
    /// No migration has the requested name, or several have it. Contains one sentence for the operator.
    #[error("{0}")]
    Name(String),
    /// The grants cannot be made. Contains one sentence for the operator.
    #[error("{0}")]
    Refused(String),
    /// Another run holds the lock for longer than the time limit.
    #[error("another run of migrations has not ended within 10 minutes; nothing was changed")]
    Busy,
    /// A migration failed. The whole run is rolled back.
    #[error("migration `{name}` failed, and nothing was changed: {cause}")]
    Failed {
        /// Name of the migration.
        name: String,
        /// Error of the database.
        cause: DbErr,
    },
    /// A run with a migration outside a transaction failed.
    #[error(
        "migration `{name}` failed: {cause}; the migrations before it stay, and the next run continues there"
    )]
    Stopped {
        /// Name of the migration.
        name: String,
        /// Error of the database.
        cause: DbErr,
    },
    /// A run with a migration outside a transaction failed between two migrations.
    #[error(
        "a statement between two migrations failed: {0}; the migrations before it stay, and the next run continues there"
    )]
    StoppedBetween(DbErr),
    /// The connection may have broken before the response to COMMIT.
    #[error(
        "COMMIT failed, so nothing or everything was changed: {0}; `acclaim migrate status` shows which"
    )]
    Commit(DbErr),
    /// Other transactions held locks that a run needs for too long, at each attempt. Names what waited.
    #[error(
        "{0} waited too long for a lock that another transaction holds, and was rolled back each time; run it again when the database is less busy"
    )]
    Locked(String),
    /// A migration runs outside a transaction, and a pooler has no session to hold the lock of the run.
    #[error(
        "migration `{0}` runs outside a transaction, which does not work through a connection pooler, and nothing was changed; run the command with the URL of the server itself"
    )]
    Pooled(String),
    /// A statement outside the migrations failed.
    #[error("a statement failed in {database}, and nothing was changed: {cause}")]
    StatementFailed {
        /// Description of the database, without secrets.
        database: String,
        /// Error of the database.
        cause: DbErr,
    },
    /// A statement outside the migrations failed. The caller adds the description of the database.
    #[error("a statement failed: {0}")]
    Database(#[from] DbErr),
}

impl Error {
    /// The error of an attempt that did not get a lock, after the last one.
    pub(crate) fn locked(self) -> Self {
        Self::Locked(match self {
            Self::Failed { name, .. } => format!("migration `{name}`"),
            _ => "the run".to_owned(),
        })
    }

    /// Adds the description of `database` to the error of a statement.
    pub(crate) fn of(self, database: &Database) -> Self {
        match self {
            Self::Database(cause) => Self::StatementFailed {
                database: database.to_string(),
                cause,
            },
            other => other,
        }
    }
}

/// The result of a run: one line per migration, or a script.
#[derive(Debug, Default)]
pub struct Report {
    pub(crate) lines: Vec<String>,
    /// Number of pending migrations. Only `status` sets it.
    pub pending: usize,
}

impl Report {
    pub(crate) fn add(&mut self, action: &str, name: &str) {
        self.lines.push(format!("{action:<8} {name}"));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return writeln!(f, "nothing to do");
        }
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Names of the pending migrations, oldest first. Read-only.
///
/// Ignores migrations that this program does not know: a database with all migrations of this
/// program has everything that this program needs.
pub async fn pending(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let applied = applied(connection).await?;
    Ok(History::with(&Migrator::migrations(), &applied).pending())
}

/// Names of the migrations of this program, oldest first.
#[must_use]
pub fn names() -> Vec<String> {
    let files = Migrator::get_migration_files();
    files.iter().map(|file| file.name().to_owned()).collect()
}

/// Runs `command` on `database`. A change waits for any other run to end first.
pub async fn run(database: &Database, command: &Command) -> Result<Report, Error> {
    run_list(database, command, &Migrator::migrations()).await
}

/// Like [`run`], with other migrations than those of this program, oldest first.
pub async fn run_list(
    database: &Database,
    command: &Command,
    migrations: &[Box<dyn MigrationTrait>],
) -> Result<Report, Error> {
    match command {
        Command::Heads => return Ok(heads(migrations)),
        Command::Sql {
            from: Some(from),
            to,
        } => {
            let history = History::with(migrations, &[]);
            let steps = script::between(&history, Some(from), to)?;
            return script::print(database.backend(), migrations, &steps).await;
        }
        _ => {}
    }
    let create = matches!(command, Command::Up { .. } | Command::Fresh);
    let connected = database.connect(create).await.map_err(Error::Connect)?;
    let outcome = run_connected(database, &connected, command, migrations).await;
    connected.end(database, outcome).await
}

async fn run_connected(
    database: &Database,
    connected: &Connected,
    command: &Command,
    migrations: &[Box<dyn MigrationTrait>],
) -> Result<Report, Error> {
    let reading = connected.begin(SqliteTransactionMode::Deferred).await?;
    support::require(database, &reading).await?;
    let read = || History::read(&reading, migrations);
    match command {
        Command::Status => Ok(status(&read().await?)),
        Command::Current => Ok(current(&read().await?)),
        Command::History => Ok(history(&read().await?)),
        Command::Sql { to, .. } => {
            let steps = script::between(&read().await?, None, to)?;
            script::print(database.backend(), migrations, &steps).await
        }
        change => {
            reading.rollback().await?;
            let run = Run {
                connected,
                migrations,
                command: change,
            };
            run.change().await
        }
    }
}

fn status(history: &History) -> Report {
    let mut report = Report::default();
    for entry in &history.0 {
        report.pending += usize::from(!entry.applied);
        report.add(state(entry), &entry.name);
    }
    report
}

fn state(entry: &Entry) -> &'static str {
    if entry.applied { "applied" } else { "pending" }
}

fn current(history: &History) -> Report {
    let mut report = Report::default();
    let head = history.head().map(|entry| &entry.name);
    report.lines.push(match history.current() {
        None => BASE.to_owned(),
        Some(entry) if Some(&entry.name) == head => format!("{} (head)", entry.name),
        Some(entry) => entry.name.clone(),
    });
    report
}

fn heads(migrations: &[Box<dyn MigrationTrait>]) -> Report {
    let lines = migrations
        .last()
        .map(|head| format!("{} (head)", head.name()));
    Report {
        lines: lines.into_iter().collect(),
        pending: 0,
    }
}

fn history(history: &History) -> Report {
    let mut report = Report::default();
    for entry in history.0.iter().rev() {
        let line = format!("{}  {}", entry.id(), entry.description());
        report.add(state(entry), &line);
    }
    report
}
