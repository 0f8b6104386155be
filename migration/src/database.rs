//! Parses `DATABASE_URL`, connects for migrations, and explains connection errors.

use std::{
    fmt, fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, str::FromStr, time::Duration,
};

use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sqlx::{
    ConnectOptions, Connection,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use crate::{Error, servers::Servers, session::Session};

/// Time limit to get SQLite's write lock, or PostgreSQL's advisory lock.
///
/// Another run of migrations holds the lock until it ends, which on a large database takes minutes.
pub(crate) const MIGRATION_BUSY_TIMEOUT: Duration = Duration::from_mins(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connection options of a database.
#[derive(Clone)]
pub enum Database {
    /// An SQLite file.
    Sqlite(Box<SqliteConnectOptions>),
    /// A database of PostgreSQL, on one of several servers.
    Postgres(Servers),
}

impl Database {
    /// Parses a `sqlite:`, `postgres:` or `postgresql:` URL.
    ///
    /// The error describes the expected format. It never contains the URL, which may contain a
    /// password.
    pub fn parse(url: &str) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected `sqlite://FILE` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`";
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" if url.contains(":memory:") || url.contains("mode=memory") => Err(
                "an in-memory database is lost when the service stops; use a file: `sqlite://FILE`"
                    .to_owned(),
            ),
            "sqlite" => {
                let options = SqliteConnectOptions::from_str(url)
                    .map_err(|_| format!("the SQLite URL is invalid; {EXPECTED}"))?;
                if options.get_filename().as_os_str().is_empty() {
                    return Err(format!("the URL has no file name; {EXPECTED}"));
                }
                Ok(Self::Sqlite(Box::new(options.disable_statement_logging())))
            }
            "postgres" | "postgresql" => {
                let servers = Servers::parse(url).map_err(|why| format!("{why}; {EXPECTED}"))?;
                Ok(Self::Postgres(servers))
            }
            _ => Err(format!("neither SQLite nor PostgreSQL; {EXPECTED}")),
        }
    }

    /// Its kind.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    /// Opens a connection for migrations. With `create`, a missing SQLite file is created.
    ///
    /// SQLite's foreign keys are off on this connection, because a migration that rebuilds a table
    /// needs that. The runner checks all foreign keys before it commits. The error is one sentence
    /// for the operator.
    pub(crate) async fn connect(&self, create: bool) -> Result<Connected, String> {
        let session = self.check_connection().await?;
        let connected = match self {
            Self::Sqlite(options) => {
                if !create && !options.get_filename().exists() {
                    return Err(format!("{self} does not exist; `migrate up` creates it"));
                }
                if create {
                    create_private(options.get_filename());
                }
                let options = SqliteConnectOptions::clone(options)
                    .foreign_keys(false)
                    .busy_timeout(MIGRATION_BUSY_TIMEOUT);
                SqlitePoolOptions::new()
                    .max_connections(1)
                    .connect_with(options)
                    .await
                    .map(DatabaseConnection::from)
            }
            Self::Postgres(servers) => PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(CONNECT_TIMEOUT)
                // A run with a migration outside a transaction keeps its lock in the session.
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_with(servers.latest(session))
                .await
                .map(DatabaseConnection::from),
        };
        let db = connected.map_err(|error| self.explain(&error))?;
        Ok(Connected { db, session })
    }

    /// Connects to the server once, to get its own error message. A pool would retry and report only a
    /// time-out. Returns what lasts between transactions. Does nothing for SQLite. The error is one sentence
    /// for the operator.
    pub async fn check_connection(&self) -> Result<Session, String> {
        let Self::Postgres(servers) = self else {
            return Ok(Session::Own);
        };
        let checked = match servers.connect(CONNECT_TIMEOUT, &[]).await {
            Ok(opened) => opened.connection.close().await.map(|()| opened.session),
            Err(error) => Err(error),
        };
        checked.map_err(|error| self.explain(&error))
    }

    /// Explains in one sentence, for the operator, why this database could not be opened.
    #[must_use]
    pub fn explain(&self, error: &sqlx::Error) -> String {
        match error {
            sqlx::Error::Io(cause) => format!("cannot reach {self}: {cause}"),
            sqlx::Error::PoolTimedOut => format!("cannot reach {self}: no answer in time"),
            sqlx::Error::Database(error) => format!("cannot open {self}: {}", error.message()),
            other => format!("cannot open {self}: {other}"),
        }
    }
}

/// A connection for migrations.
pub(crate) struct Connected {
    pub db: DatabaseConnection,
    pub session: Session,
}

impl Connected {
    /// Begins a transaction. `mode` is that of SQLite. Through a pooler, statements outside a transaction may
    /// fail, because they are prepared.
    pub async fn begin(&self, mode: SqliteTransactionMode) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(mode),
            ..Default::default()
        };
        let transaction = self.db.begin_with_options(options).await?;
        if let Some(clear) = self.session.clearing() {
            transaction.execute_unprepared(clear).await?;
        }
        Ok(transaction)
    }

    /// Closes the connection to `database` after `outcome`. Otherwise the server would keep it until its
    /// time-out. Adds the description of `database` to the error of a statement.
    pub async fn end<T>(self, database: &Database, outcome: Result<T, Error>) -> Result<T, Error> {
        self.db.close().await?;
        outcome.map_err(|error| error.of(database))
    }
}

/// Creates an empty file with mode 0600, unless it exists. SQLite opens it as an empty database, and
/// gives its companions (`-wal`, `-shm`) the same mode. An error is left for SQLite to report.
fn create_private(file: &Path) {
    let mut options = OpenOptions::new();
    let _ = options.write(true).create_new(true).mode(0o600).open(file);
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(options) => {
                let file: &Path = options.get_filename();
                write!(f, "the SQLite database `{}`", file.display())
            }
            Self::Postgres(servers) => {
                write!(
                    f,
                    "the PostgreSQL database `{}` at {servers}",
                    servers.database()
                )
            }
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options contain the password.
        write!(f, "Database({self})")
    }
}
