//! One connection to either database, and what its errors say about it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::{DbBackend, ExecResult, QueryResult, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, Executor, PgConnection, SqliteConnection,
    postgres::PgConnectOptions, query_with, sqlite::SqliteConnectOptions,
};

use super::fault;

/// How long a statement may take. PostgreSQL gives up earlier by itself, unless nobody hears it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);
/// A statement of PostgreSQL's that nobody waits for any more ends within a second.
const LOOK_FOR_THE_CLIENT: &str = "SET client_connection_check_interval = '1s'";
/// After so many instructions of its machine SQLite looks whether somebody still waits: some 0.1 ms.
const SQLITE_STEPS: i32 = 10_000;

/// How to connect.
#[derive(Clone)]
pub(super) enum Options {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

impl Options {
    pub(super) async fn connect(&self) -> Result<Connection, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(options) => {
                let mut connection = options.connect().await?;
                let left = Left::default();
                let seen = Arc::clone(&left.0);
                let mut handle = connection.lock_handle().await?;
                handle.set_progress_handler(SQLITE_STEPS, move || !seen.load(Ordering::Relaxed));
                drop(handle);
                Connection::Sqlite {
                    connection: connection.into(),
                    _left: left,
                }
            }
            Self::Postgres(options) => {
                let mut connection = options.connect().await?;
                // A server that cannot (one before 14, say) works on until it has an answer.
                let _ = connection.execute(LOOK_FOR_THE_CLIENT).await;
                Connection::Postgres(connection)
            }
        })
    }

    pub(super) fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }
}

/// Dropped, it is closed, and with it ends what it was in the middle of.
pub(super) enum Connection {
    Sqlite {
        connection: Box<SqliteConnection>,
        _left: Left,
    },
    Postgres(PgConnection),
}

/// Tells the thread of an SQLite connection that nobody waits for it any more. It would finish its
/// statement otherwise, however long that takes.
#[derive(Default)]
pub(super) struct Left(Arc<AtomicBool>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How the database is to take a statement.
#[derive(Clone, Copy)]
pub(super) enum Plan {
    /// Prepared once, and remembered by the connection.
    Kept,
    /// Prepared for this once, so that PostgreSQL's plan is for these values.
    Once,
}

/// The statement with its values, for either kind of connection.
macro_rules! bound {
    ($statement:expr, $plan:expr) => {{
        let values = $statement.values.clone().unwrap_or(Values(Vec::new()));
        query_with(AssertSqlSafe($statement.sql.as_str()), SqlxValues(values))
            .persistent(matches!($plan, Plan::Kept))
    }};
}

impl Connection {
    pub(super) async fn rows(
        &mut self,
        statement: &Statement,
        plan: Plan,
    ) -> Result<Vec<QueryResult>, sqlx::Error> {
        in_time(async {
            Ok(match self {
                Self::Sqlite { connection, .. } => {
                    let rows = bound!(statement, plan).fetch_all(&mut **connection).await?;
                    rows.into_iter().map(Into::into).collect()
                }
                Self::Postgres(connection) => {
                    let rows = bound!(statement, plan).fetch_all(connection).await?;
                    rows.into_iter().map(Into::into).collect()
                }
            })
        })
        .await
    }

    pub(super) async fn execute(
        &mut self,
        statement: &Statement,
        plan: Plan,
    ) -> Result<ExecResult, sqlx::Error> {
        in_time(async {
            Ok(match self {
                Self::Sqlite { connection, .. } => {
                    let done = bound!(statement, plan).execute(&mut **connection);
                    done.await?.into()
                }
                Self::Postgres(connection) => {
                    let done = bound!(statement, plan).execute(connection);
                    done.await?.into()
                }
            })
        })
        .await
    }

    /// Runs `sql`, be it several statements, without preparing it.
    pub(super) async fn simple(&mut self, sql: &str) -> Result<ExecResult, sqlx::Error> {
        in_time(async {
            let sql = AssertSqlSafe(sql);
            Ok(match self {
                Self::Sqlite { connection, .. } => connection.execute(sql).await?.into(),
                Self::Postgres(connection) => connection.execute(sql).await?.into(),
            })
        })
        .await
    }

    /// A deferred transaction of SQLite that reads first cannot always become a writing one.
    pub(super) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        let sql = match self {
            Self::Sqlite { .. } => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN",
        };
        self.simple(sql).await.map(drop)
    }

    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { connection, .. } => connection.ping().await,
            Self::Postgres(connection) => connection.ping().await,
        }
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(ANSWER_TIMEOUT, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
    }
}

/// Whether the connection that gave `error` can be used again: the database answered, and the
/// answer was not that it is going away.
pub(super) fn survives(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refusal) => !fault::is_away(refusal.as_ref()),
        _ => false,
    }
}

/// Whether `error` is that of a connection that had ended before it was used.
pub(super) fn was_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(cause) => cause.kind() != io::ErrorKind::TimedOut,
        // What a server that shuts down, or whose operator ends the connection, left to be read.
        sqlx::Error::Database(refusal) => {
            refusal.code().is_some_and(|code| code.starts_with("57P"))
        }
        _ => false,
    }
}

/// Whether a server that says `error` to a new connection may take one soon: it is starting, or
/// has too many.
pub(super) fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(cause) => cause.kind() == io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(refusal) => refusal.is_transient_in_connect_phase(),
        _ => false,
    }
}
