//! Applies and reverts migrations. Each run is one transaction under one lock.

use std::fmt;

use sea_orm_migration::{
    MigrationStatus,
    prelude::*,
    sea_orm::{
        DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement,
        TransactionOptions, TransactionTrait,
    },
};

use crate::{Command, Database, Migrator};

/// Key of the advisory lock that a run holds on PostgreSQL: `acclaim` in ASCII.
const LOCK: i64 = 0x61_6363_6c61_696d;

/// The error of a run. A failed run changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be opened. Contains one sentence for the operator.
    #[error("{0}")]
    Connect(String),
    /// A newer version of this program applied a migration that this version does not know.
    #[error(
        "the database is newer than this program: it has the migration `{0}`; run a newer acclaim"
    )]
    Newer(String),
    /// A migration failed. The whole run is rolled back.
    #[error("migration `{name}` failed, and nothing was changed: {cause}")]
    Failed {
        /// Name of the migration.
        name: String,
        /// Error of the database.
        cause: DbErr,
    },
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

/// The result of a run: one line per migration.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<String>,
    /// Number of pending migrations. Only `status` sets it.
    pub pending: usize,
}

impl Report {
    fn add(&mut self, action: &str, name: &str) {
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
    Ok(with(&known(&applied), MigrationStatus::Pending))
}

/// Names of the migrations of this program, oldest first.
#[must_use]
pub fn names() -> Vec<String> {
    let files = Migrator::get_migration_files();
    files.iter().map(|file| file.name().to_owned()).collect()
}

/// Runs `command` on `database` in one transaction. Waits for any other run to end first.
pub async fn run(database: &Database, command: &Command) -> Result<Report, Error> {
    let create = matches!(command, Command::Up { .. } | Command::Fresh);
    let connection = database.connect(create).await.map_err(Error::Connect)?;
    let outcome = match command {
        Command::Status => status(&connection).await,
        change => commit(&connection, change).await,
    };
    // Without an explicit close the server would keep the connection until its time-out.
    connection.close().await?;
    outcome.map_err(|error| match error {
        Error::Database(cause) => Error::StatementFailed {
            database: database.to_string(),
            cause,
        },
        other => other,
    })
}

async fn status(connection: &DatabaseConnection) -> Result<Report, Error> {
    let mut report = Report::default();
    for (name, status) in with_status(connection).await? {
        let pending = status == MigrationStatus::Pending;
        report.pending += usize::from(pending);
        report.add(if pending { "pending" } else { "applied" }, &name);
    }
    Ok(report)
}

async fn commit(connection: &DatabaseConnection, command: &Command) -> Result<Report, Error> {
    // IMMEDIATE takes SQLite's write lock. PostgreSQL ignores it and uses the advisory lock below.
    let transaction = connection
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        })
        .await?;
    let postgres = transaction.get_database_backend() == DbBackend::Postgres;
    if postgres {
        transaction
            .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
            .await?;
    }
    let report = change(&transaction, command).await?;
    // The check reads every row, so it is skipped if nothing changed.
    if !postgres && !report.lines.is_empty() {
        check_foreign_keys(&transaction).await?;
    }
    transaction.commit().await?;
    Ok(report)
}

async fn change(db: &DatabaseTransaction, command: &Command) -> Result<Report, Error> {
    let mut report = Report::default();
    match *command {
        Command::Up { steps } => up(db, steps, &mut report).await?,
        Command::Down { steps } => down(db, Some(steps), &mut report).await?,
        Command::Refresh => {
            down(db, None, &mut report).await?;
            up(db, None, &mut report).await?;
        }
        Command::Reset => {
            down(db, None, &mut report).await?;
            Migrator::uninstall(db).await?;
        }
        Command::Fresh => {
            Migrator::fresh(db).await?;
            report.add("dropped", "every table");
            for name in with(&with_status(db).await?, MigrationStatus::Applied) {
                report.add("applied", &name);
            }
        }
        Command::Status => {}
    }
    Ok(report)
}

async fn up(
    db: &DatabaseTransaction,
    steps: Option<u32>,
    report: &mut Report,
) -> Result<(), Error> {
    let pending = with(&with_status(db).await?, MigrationStatus::Pending);
    for name in pending.into_iter().take(at_most(steps)) {
        if let Err(cause) = Migrator::up(db, Some(1)).await {
            return Err(Error::Failed { name, cause });
        }
        report.add("applied", &name);
    }
    Ok(())
}

async fn down(
    db: &DatabaseTransaction,
    steps: Option<u32>,
    report: &mut Report,
) -> Result<(), Error> {
    let applied = with(&with_status(db).await?, MigrationStatus::Applied);
    for name in applied.into_iter().rev().take(at_most(steps)) {
        if let Err(cause) = Migrator::down(db, Some(1)).await {
            return Err(Error::Failed { name, cause });
        }
        report.add("reverted", &name);
    }
    Ok(())
}

fn at_most(steps: Option<u32>) -> usize {
    steps.map_or(usize::MAX, |steps| {
        usize::try_from(steps).unwrap_or(usize::MAX)
    })
}

/// All migrations of this program. Fails if the database has others.
async fn with_status(db: &impl ConnectionTrait) -> Result<Vec<(String, MigrationStatus)>, Error> {
    let applied = applied(db).await?;
    let all = known(&applied);
    let newer = applied
        .into_iter()
        .find(|version| all.iter().all(|(name, _)| name != version));
    match newer {
        Some(version) => Err(Error::Newer(version)),
        None => Ok(all),
    }
}

/// The names that the database lists as applied.
///
/// The migrator's own query would create the table of this list if it were missing. The role of a
/// running service may lack the privilege to do so.
async fn applied(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let backend = db.get_database_backend();
    let table = match backend {
        DbBackend::Sqlite => "SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations'",
        _ => {
            "SELECT 1 FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name = 'seaql_migrations'"
        }
    };
    let table = Statement::from_string(backend, table);
    if db.query_one_raw(table).await?.is_none() {
        return Ok(Vec::new());
    }
    let versions = "SELECT version FROM seaql_migrations ORDER BY version";
    let rows = db.query_all_raw(Statement::from_string(backend, versions));
    rows.await?
        .iter()
        .map(|row| row.try_get("", "version"))
        .collect()
}

/// The migrations of this program, oldest first.
fn known(applied: &[String]) -> Vec<(String, MigrationStatus)> {
    names()
        .into_iter()
        .map(|name| {
            let status = if applied.contains(&name) {
                MigrationStatus::Applied
            } else {
                MigrationStatus::Pending
            };
            (name, status)
        })
        .collect()
}

/// The names of the migrations that have `status`.
fn with(all: &[(String, MigrationStatus)], status: MigrationStatus) -> Vec<String> {
    all.iter()
        .filter(|(_, other)| *other == status)
        .map(|(name, _)| name.clone())
        .collect()
}

async fn check_foreign_keys(db: &DatabaseTransaction) -> Result<(), Error> {
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA foreign_key_check");
    let violations = db.query_all_raw(check).await?.len();
    if violations == 0 {
        return Ok(());
    }
    Err(Error::Database(DbErr::Migration(format!(
        "{violations} rows would refer to rows that do not exist"
    ))))
}
