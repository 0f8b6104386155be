//! Whole tables, for commands of the operator that copy a database: read in one snapshot, or written in
//! one transaction.
//!
//! A connection of its own without time limits, because these commands take minutes on a large
//! database.

mod catalogue;
mod read;
mod write;

use migration::{Database, Opened};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqliteConnection,
    error::DatabaseError,
};
use time::OffsetDateTime;

use super::{BUSY_TIMEOUT, connection::CONNECT_TIMEOUT, sqlite_file::is_busy};

/// Memory for pages of an SQLite file, in KiB. With SQLite's default of 2 MB, indexes in random order
/// are written many times.
const CACHE: u32 = 16 * 1024;

/// Names of the migrations that this program knows, oldest first.
#[must_use]
pub fn known_migrations() -> Vec<String> {
    migration::names()
}

/// A connection to a database, with at most one transaction. Without [`commit`](Self::commit) it
/// changes nothing.
#[derive(Debug)]
pub enum Tables {
    /// A file.
    Sqlite(Box<SqliteConnection>),
    /// A server.
    Postgres(Box<Opened>),
}

/// A table, as the catalogue of the database describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its stored columns, without generated ones: those of the primary key in its order, then the
    /// others by name. Equal on both databases.
    pub columns: Vec<Column>,
    /// Number of columns of the primary key.
    key: usize,
    /// True if the database assigns the values of the primary key, and never twice.
    pub has_sequence: bool,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The kind of its values.
    pub kind: Kind,
    /// True if it can be null.
    pub is_nullable: bool,
    /// Its type in the terms of the database.
    sql_type: String,
}

/// A kind of values, the same on both databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 64 bits, signed.
    Integer,
    /// True or false.
    Boolean,
    /// Text. JSON documents too.
    Text,
    /// A point in time.
    Time,
    /// Any bytes.
    Bytes,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// See [`Kind::Integer`].
    Integer(i64),
    /// See [`Kind::Boolean`].
    Boolean(bool),
    /// See [`Kind::Text`].
    Text(String),
    /// See [`Kind::Time`].
    Time(OffsetDateTime),
    /// See [`Kind::Bytes`].
    Bytes(Vec<u8>),
}

/// Runs `$work` with `$connection`, which has another type for each database.
macro_rules! on_either {
    ($tables:expr, |$connection:ident| $work:expr) => {
        match $tables {
            Tables::Sqlite(connection) => {
                let $connection = &mut **connection;
                $work
            }
            Tables::Postgres(opened) => {
                let $connection = &mut opened.connection;
                $work
            }
        }
    };
}

impl Tables {
    /// Connects. The database must exist. The error is one sentence for the operator.
    pub async fn open(database: &Database) -> Result<Self, String> {
        database.check_connection().await?;
        let connected = match database {
            Database::Sqlite(options) if !options.get_filename().exists() => {
                return Err(format!(
                    "{database} does not exist; `acclaim migrate up` creates it"
                ));
            }
            Database::Sqlite(options) => {
                let options = options.as_ref().clone().foreign_keys(true);
                let options = options.busy_timeout(BUSY_TIMEOUT);
                options
                    .connect()
                    .await
                    .map(|connection| Self::Sqlite(connection.into()))
            }
            Database::Postgres(servers) => servers
                .connect(CONNECT_TIMEOUT, &[])
                .await
                .map(|opened| Self::Postgres(opened.into())),
        };
        connected.map_err(|error| database.explain(&error))
    }

    /// Begins a transaction that sees one state of the database.
    pub async fn begin_snapshot(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => self.run("BEGIN").await,
            Self::Postgres(opened) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                opened.begin(begin).await?;
                self.lift_limits().await
            }
        }
    }

    /// Begins a transaction that writes. Until its end, nobody else writes to `tables`, and the schema
    /// does not change.
    ///
    /// # Errors
    /// If another program writes for 5 s. [`is_locked`] recognises the error.
    pub async fn begin_write(&mut self, tables: &[Table]) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => {
                let begin = format!("PRAGMA cache_size = -{CACHE}; BEGIN IMMEDIATE");
                self.run(&begin).await
            }
            Self::Postgres(opened) => {
                let timeout = BUSY_TIMEOUT.as_millis();
                let begin = format!("BEGIN; SET LOCAL lock_timeout = {timeout}");
                opened.begin(&begin).await?;
                let names = tables.iter().map(|table| quoted(table.name));
                let names: Vec<String> = names.collect();
                let lock = format!(
                    "LOCK TABLE seaql_migrations, {} IN EXCLUSIVE MODE",
                    names.join(", ")
                );
                self.run(&lock).await?;
                self.lift_limits().await
            }
        }
    }

    /// Rolls the transaction back.
    pub async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        self.run("ROLLBACK").await
    }

    /// Commits the transaction.
    pub async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.run("COMMIT").await
    }

    /// Closes the connection. A transaction that was not committed is rolled back.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(opened) => opened.connection.close().await,
        }
    }

    /// The names of the applied migrations, oldest first.
    pub async fn migrations(&mut self) -> Result<Vec<String>, sqlx::Error> {
        const APPLIED: &str = "SELECT version FROM seaql_migrations ORDER BY version";
        if self.table("seaql_migrations").await?.is_none() {
            return Ok(Vec::new());
        }
        on_either!(self, |connection| {
            let rows = sqlx::query(APPLIED).fetch_all(connection).await?;
            rows.iter().map(|row| row.try_get(0)).collect()
        })
    }

    /// The integer that `sql` selects. It must be safe.
    pub async fn integer(&mut self, sql: &str) -> Result<Option<i64>, sqlx::Error> {
        on_either!(self, |connection| {
            let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
            let row = query.fetch_optional(connection).await?;
            row.map_or(Ok(None), |row| row.try_get(0))
        })
    }

    /// Runs the statements `sql`, which must be safe.
    pub async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        on_either!(self, |connection| {
            connection.execute(AssertSqlSafe(sql)).await.map(drop)
        })
    }

    /// The role or the database may have limits for the queries of the service.
    async fn lift_limits(&mut self) -> Result<(), sqlx::Error> {
        self.run(
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
             SET LOCAL idle_in_transaction_session_timeout = 0",
        )
        .await
    }
}

/// True if `error` is that of a database to which another program writes.
#[must_use]
pub fn is_locked(error: &sqlx::Error) -> bool {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    let code = error.as_database_error().and_then(DatabaseError::code);
    is_busy(error) || code.is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
