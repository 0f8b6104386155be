//! One connection to PostgreSQL or SQLite, and the classification of its errors.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use sea_orm::{DbBackend, ExecResult, QueryResult, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, Executor, PgConnection, SqliteConnection,
    postgres::PgConnectOptions, query, query_as, query_with, sqlite::SqliteConnectOptions,
};
use time::OffsetDateTime;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

use super::{CLIENT_CHECK, availability::Availability, error::ends_connection, gate::Gate};

/// Time limit of one statement. It is above PostgreSQL's own `statement_timeout`, and ends waiting
/// for a server that does not answer.
const STATEMENT_LIMIT: Duration = Duration::from_secs(12);
const SERVER_PROCESS: &str =
    "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()";
const CANCEL: &str = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
                      WHERE pid = $1 AND backend_start = $2";
/// Time to wait for a permit, to connect and to send [`CANCEL`].
const CANCEL_LIMIT: Duration = Duration::from_secs(1);
/// SQLite checks after this many virtual machine instructions whether its statement was abandoned or
/// cancelled. They take about 10 us, but 40 ms while FTS5 reads all words with a prefix: it runs about
/// two of them for each page of its index.
const SQLITE_STEPS: i32 = 1_000;

/// Options for connecting.
#[derive(Clone)]
pub(super) enum Options {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

impl Options {
    /// Connects. Statements of an SQLite connection end when `gate` interrupts, and those of
    /// PostgreSQL if they hang while the database is unreachable.
    pub(super) async fn connect(
        &self,
        gate: &Arc<Gate>,
        availability: &Arc<Availability>,
    ) -> Result<Connection, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(options) => {
                let mut connection = options.connect().await?;
                let abandoned = Abandoned::default();
                let (flag, gate) = (Arc::clone(&abandoned.0), Arc::clone(gate));
                let mut handle = connection.lock_handle().await?;
                handle.set_progress_handler(SQLITE_STEPS, move || {
                    !flag.load(Ordering::Relaxed) && !gate.interrupts()
                });
                drop(handle);
                Connection::Sqlite {
                    connection: connection.into(),
                    abandoned,
                }
            }
            Self::Postgres(options) => {
                let mut connection = options.connect().await?;
                // PostgreSQL before version 14 lacks this setting and finishes the statement.
                // The rest of the second is for the cancellation itself.
                let check = format!(
                    "SET client_connection_check_interval = {}",
                    (CLIENT_CHECK * 4 / 5).as_millis()
                );
                let _ = connection.execute(AssertSqlSafe(check)).await;
                let process = query_as(SERVER_PROCESS).fetch_one(&mut connection);
                Connection::Postgres {
                    process: process.await?,
                    connection,
                    cancelled: Arc::default(),
                    availability: Arc::clone(availability),
                }
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

/// A kind of transaction.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// Reads and writes.
    Write,
    /// Reads one state of the database: that of its first statement.
    Snapshot,
}

/// Dropping it closes it and cancels its running statement.
pub(super) enum Connection {
    Sqlite {
        connection: Box<SqliteConnection>,
        abandoned: Abandoned,
    },
    Postgres {
        connection: PgConnection,
        process: ServerProcess,
        cancelled: Arc<AtomicBool>,
        availability: Arc<Availability>,
    },
}

/// The id of PostgreSQL's process for a connection, and its start. A later process can have the same
/// id.
type ServerProcess = (i32, OffsetDateTime);

/// Cancels the statement that a connection runs, or the next one if none runs. The statement fails
/// and changes nothing, unless it is just ending. The connection is closed after that.
pub(super) struct Canceller {
    cancelled: Arc<AtomicBool>,
    /// For PostgreSQL.
    process: Option<ServerProcess>,
}

impl Canceller {
    /// Does nothing if PostgreSQL cannot be reached. On PostgreSQL the connection may be between two
    /// statements; then only a further call cancels the next one. Opens a connection, which needs one
    /// of `permits`.
    pub(super) async fn cancel(&self, options: &Options, permits: &Semaphore) {
        self.cancelled.store(true, Ordering::Relaxed);
        if let (Some((pid, started)), Options::Postgres(options)) = (self.process, options) {
            let cancel = async {
                let _permit = permits.acquire().await;
                let mut connection = options.connect().await?;
                let cancel = query(CANCEL).bind(pid).bind(started);
                let cancel = cancel.execute(&mut connection).await;
                cancel.and(connection.close().await)
            };
            match timeout(CANCEL_LIMIT, Box::pin(cancel)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a statement could not be cancelled"),
                Err(_) => tracing::debug!("a statement could not be cancelled in time"),
            }
        }
    }
}

/// Interrupts the statement of an SQLite connection when dropped. Without this the connection's
/// thread would finish the statement, however long that takes.
#[derive(Default)]
pub(super) struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Prepares `$statement` with its values for either kind of connection.
macro_rules! prepared {
    ($statement:expr) => {{
        let values = $statement.values.clone().unwrap_or(Values(Vec::new()));
        query_with(AssertSqlSafe($statement.sql.as_str()), SqlxValues(values))
    }};
}

impl Connection {
    pub(super) async fn rows(
        &mut self,
        statement: &Statement,
    ) -> Result<Vec<QueryResult>, sqlx::Error> {
        within_limit(async {
            Ok(match self {
                Self::Sqlite { connection, .. } => {
                    let rows = prepared!(statement).fetch_all(&mut **connection).await?;
                    rows.into_iter().map(Into::into).collect()
                }
                Self::Postgres {
                    connection,
                    availability,
                    ..
                } => {
                    let rows = prepared!(statement).fetch_all(connection);
                    let rows = availability.unless_hung(rows).await?;
                    rows.into_iter().map(Into::into).collect()
                }
            })
        })
        .await
    }

    /// The rows of `statement` as they come. [`STATEMENT_LIMIT`] applies to all of them together.
    pub(super) fn stream<'a>(
        &'a mut self,
        statement: &'a Statement,
    ) -> BoxStream<'a, Result<QueryResult, sqlx::Error>> {
        match self {
            Self::Sqlite { connection, .. } => {
                let rows = prepared!(statement).fetch(&mut **connection);
                all_within_limit(rows.map_ok(Into::into)).boxed()
            }
            Self::Postgres { connection, .. } => {
                let rows = prepared!(statement).fetch(connection);
                all_within_limit(rows.map_ok(Into::into)).boxed()
            }
        }
    }

    pub(super) async fn execute(
        &mut self,
        statement: &Statement,
    ) -> Result<ExecResult, sqlx::Error> {
        within_limit(async {
            Ok(match self {
                Self::Sqlite { connection, .. } => {
                    let done = prepared!(statement).execute(&mut **connection);
                    done.await?.into()
                }
                Self::Postgres {
                    connection,
                    availability,
                    ..
                } => {
                    let done = prepared!(statement).execute(connection);
                    availability.unless_hung(done).await?.into()
                }
            })
        })
        .await
    }

    /// Runs `sql` without preparing it. It may consist of several statements.
    pub(super) async fn execute_simple(&mut self, sql: &str) -> Result<ExecResult, sqlx::Error> {
        within_limit(async {
            let sql = AssertSqlSafe(sql);
            Ok(match self {
                Self::Sqlite { connection, .. } => connection.execute(sql).await?.into(),
                Self::Postgres {
                    connection,
                    availability,
                    ..
                } => {
                    let done = connection.execute(sql);
                    availability.unless_hung(done).await?.into()
                }
            })
        })
        .await
    }

    pub(super) fn canceller(&self) -> Canceller {
        match self {
            Self::Sqlite { abandoned, .. } => Canceller {
                cancelled: Arc::clone(&abandoned.0),
                process: None,
            },
            Self::Postgres {
                process, cancelled, ..
            } => Canceller {
                cancelled: Arc::clone(cancelled),
                process: Some(*process),
            },
        }
    }

    /// True if its [`Canceller`] was used. A late cancellation would hit the next statement.
    pub(super) fn is_cancelled(&self) -> bool {
        let (Self::Sqlite {
            abandoned: Abandoned(cancelled),
            ..
        }
        | Self::Postgres { cancelled, .. }) = self;
        cancelled.load(Ordering::Relaxed)
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self, mode: Mode) -> Result<(), sqlx::Error> {
        let sql = match (self as &Self, mode) {
            // A deferred transaction that reads first may be refused the lock for its first write.
            (Self::Sqlite { .. }, Mode::Write) => "BEGIN IMMEDIATE",
            (Self::Sqlite { .. }, Mode::Snapshot) | (Self::Postgres { .. }, Mode::Write) => "BEGIN",
            (Self::Postgres { .. }, Mode::Snapshot) => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            }
        };
        self.execute_simple(sql).await.map(drop)
    }

    /// Closes the connection and waits until it is closed. An error means that it is closed already.
    pub(super) async fn close(self) {
        let _ = match self {
            Self::Sqlite { connection, .. } => connection.close().await,
            Self::Postgres { connection, .. } => connection.close().await,
        };
    }

    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { connection, .. } => connection.ping().await,
            Self::Postgres { connection, .. } => connection.ping().await,
        }
    }
}

async fn within_limit<T>(
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let outcome = timeout(STATEMENT_LIMIT, work).await;
    outcome.unwrap_or_else(|_| Err(timed_out()))
}

fn all_within_limit<'a, T>(
    items: impl Stream<Item = Result<T, sqlx::Error>> + Send + 'a,
) -> impl Stream<Item = Result<T, sqlx::Error>> + Send + 'a {
    let end = Instant::now() + STATEMENT_LIMIT;
    stream::unfold(Box::pin(items), move |mut items| async move {
        let next = timeout_at(end, items.next()).await;
        let item = next.unwrap_or_else(|_| Some(Err(timed_out())))?;
        Some((item, items))
    })
}

pub(super) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(io::ErrorKind::TimedOut.into())
}

/// True if the connection that returned `error` can be used again: the database answered, and is
/// not about to close the connection or to cancel a statement.
pub(super) fn is_reusable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refusal) => !ends_connection(refusal.as_ref()),
        _ => false,
    }
}

/// True if `error` shows that the connection was closed before the statement was sent.
pub(super) fn is_stale(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(cause) => cause.kind() != io::ErrorKind::TimedOut,
        // The last message of a server that shuts down or terminates the connection.
        sqlx::Error::Database(refusal) => {
            refusal.code().is_some_and(|code| code.starts_with("57P"))
        }
        _ => false,
    }
}

/// True if the server did not answer the attempt at connecting that returned `error`, or is starting
/// or shutting down (57P01 to 57P03).
pub(super) fn is_unreachable(error: &sqlx::Error) -> bool {
    match error {
        // A proxy without a server closes the connection, which SQLx takes for an invalid response.
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(refusal) => {
            refusal.code().is_some_and(|code| code.starts_with("57P"))
        }
        _ => false,
    }
}

/// True if the server may accept a connection soon: it is starting, or has too many.
pub(super) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(cause) => cause.kind() == io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(refusal) => refusal.is_transient_in_connect_phase(),
        _ => false,
    }
}
