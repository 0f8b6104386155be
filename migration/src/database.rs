//! Parses `DATABASE_URL`, connects for migrations, and explains connection errors.

use std::{
    fmt, fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, str::FromStr, time::Duration,
};

use sea_orm_migration::sea_orm::{DatabaseConnection, DbBackend};
use sqlx::{
    ConnectOptions, Connection,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

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
    /// A PostgreSQL server and database.
    Postgres(Box<PgConnectOptions>),
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
                let options = PgConnectOptions::from_str(url)
                    .map_err(|_| format!("the PostgreSQL URL is invalid; {EXPECTED}"))?;
                let options = options
                    .application_name("acclaim")
                    .disable_statement_logging();
                Ok(Self::Postgres(Box::new(options)))
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
    pub(crate) async fn connect(&self, create: bool) -> Result<DatabaseConnection, String> {
        self.check_connection().await?;
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
            Self::Postgres(options) => PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(CONNECT_TIMEOUT)
                // A run with a migration outside a transaction keeps its lock in the session.
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_with(*options.clone())
                .await
                .map(DatabaseConnection::from),
        };
        connected.map_err(|error| self.explain(&error))
    }

    /// Connects to the server once, to get its own error message. A pool would retry and report only a
    /// time-out. Does nothing for SQLite. The error is one sentence for the operator.
    pub async fn check_connection(&self) -> Result<(), String> {
        let Self::Postgres(options) = self else {
            return Ok(());
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
            Ok(Ok(connection)) => connection.close().await,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
        .map_err(|error| self.explain(&error))
    }

    /// Explains in one sentence, for the operator, why this database could not be opened.
    #[must_use]
    pub fn explain(&self, error: &sqlx::Error) -> String {
        match error {
            sqlx::Error::Io(cause) => format!("cannot reach {self}: {cause}"),
            sqlx::Error::PoolTimedOut => {
                format!("cannot reach {self}: no answer within {CONNECT_TIMEOUT:?}")
            }
            sqlx::Error::Database(error) => format!("cannot open {self}: {}", error.message()),
            other => format!("cannot open {self}: {other}"),
        }
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
            Self::Postgres(options) => write!(
                f,
                "the PostgreSQL database `{}` at {}:{}",
                options
                    .get_database()
                    .unwrap_or_else(|| options.get_username()),
                options.get_host(),
                options.get_port()
            ),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options contain the password.
        write!(f, "Database({self})")
    }
}
