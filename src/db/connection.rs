//! One connection to PostgreSQL or SQLite, and the classification of its errors.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use migration::Servers;
use sea_orm::{DbBackend, ExecResult, QueryResult, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, Executor, SqliteConnection, query, query_with,
    sqlite::SqliteConnectOptions,
};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    availability::Availability,
    error::ends_connection,
    gate::Gate,
    mode::Mode,
    postgres::{PostgresConnection, ServerProcess},
    statement::{self, all_within_limit, within_limit},
};
use crate::traces::Child;

/// Time limit of one attempt at connecting.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
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
    Postgres(Servers),
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
            Self::Postgres(servers) => {
                let opened = PostgresConnection::open(servers, CONNECT_TIMEOUT, availability);
                Connection::Postgres(opened.await?)
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

/// Dropping it closes it and cancels its running statement.
pub(super) enum Connection {
    Sqlite {
        connection: Box<SqliteConnection>,
        abandoned: Abandoned,
    },
    Postgres(PostgresConnection),
}

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
        if let (Some((pid, started)), Options::Postgres(servers)) = (self.process, options) {
            let cancel = async {
                let _permit = permits.acquire().await;
                let opened = servers.connect(CANCEL_LIMIT, &[]).await?;
                let mut connection = opened.connection;
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

/// Prepares `$statement` with its values for SQLite.
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
        within_limit(self.span(&statement.sql), async {
            Ok(match self {
                Self::Sqlite { connection, .. } => {
                    let rows = prepared!(statement).fetch_all(&mut **connection).await?;
                    rows.into_iter().map(Into::into).collect()
                }
                Self::Postgres(connection) => connection.rows(statement).await?,
            })
        })
        .await
    }

    /// Prepares for [`stream`](Self::stream). Returns what [`leave`](Self::leave) needs.
    pub(super) async fn enter(&mut self) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite { .. } => Ok(false),
            Self::Postgres(connection) => within_limit(Child::default(), connection.enter()).await,
        }
    }

    /// Ends what [`enter`](Self::enter) began, after the `outcome` of a stream.
    pub(super) async fn leave(
        &mut self,
        entered: bool,
        outcome: Result<(), sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { .. } => outcome,
            Self::Postgres(connection) => {
                within_limit(Child::default(), connection.leave(entered, outcome)).await
            }
        }
    }

    /// The rows of `statement` as they come. The time limit of a statement applies to all of them together. The
    /// caller must [enter](Self::enter) before and [leave](Self::leave) after it.
    pub(super) fn stream<'a>(
        &'a mut self,
        statement: &'a Statement,
    ) -> BoxStream<'a, Result<QueryResult, sqlx::Error>> {
        let span = self.span(&statement.sql);
        match self {
            Self::Sqlite { connection, .. } => {
                let rows = prepared!(statement).fetch(&mut **connection);
                all_within_limit(span, rows.map_ok(Into::into)).boxed()
            }
            Self::Postgres(connection) => {
                all_within_limit(span, connection.stream(statement)).boxed()
            }
        }
    }

    pub(super) async fn execute(
        &mut self,
        statement: &Statement,
    ) -> Result<ExecResult, sqlx::Error> {
        within_limit(self.span(&statement.sql), async {
            Ok(match self {
                Self::Sqlite { connection, .. } => {
                    let done = prepared!(statement).execute(&mut **connection);
                    done.await?.into()
                }
                Self::Postgres(connection) => connection.execute(statement).await?,
            })
        })
        .await
    }

    /// Runs `sql` without preparing it. It may consist of several statements.
    pub(super) async fn execute_simple(&mut self, sql: &str) -> Result<ExecResult, sqlx::Error> {
        within_limit(self.span(sql), async {
            Ok(match self {
                Self::Sqlite { connection, .. } => {
                    connection.execute(AssertSqlSafe(sql)).await?.into()
                }
                Self::Postgres(connection) => connection.execute_simple(sql).await?,
            })
        })
        .await
    }

    fn span(&self, sql: &str) -> Child {
        let backend = match self {
            Self::Sqlite { .. } => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        };
        statement::begin(backend, sql)
    }

    /// `None` through a pooler: the process that it would cancel may run the statement of another client.
    /// There the [limit](Self::limit_statements) applies.
    pub(super) fn canceller(&self) -> Option<Canceller> {
        match self {
            Self::Sqlite { abandoned, .. } => Some(Canceller {
                cancelled: Arc::clone(&abandoned.0),
                process: None,
            }),
            Self::Postgres(connection) => Some(Canceller {
                cancelled: Arc::clone(&connection.cancelled),
                process: Some(connection.process?),
            }),
        }
    }

    /// Sets the time limit of each statement, or of each in the next transaction; `None` is the usual one. It
    /// applies where there is no [canceller](Self::canceller).
    pub(super) fn limit_statements(&mut self, limit: Option<Duration>) {
        if let Self::Postgres(connection) = self {
            connection.limit = limit;
        }
    }

    /// True if its [`Canceller`] was used. A late cancellation would hit the next statement.
    pub(super) fn is_cancelled(&self) -> bool {
        let (Self::Sqlite {
            abandoned: Abandoned(cancelled),
            ..
        }
        | Self::Postgres(PostgresConnection { cancelled, .. })) = self;
        cancelled.load(Ordering::Relaxed)
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self, mode: Mode) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { .. } => {
                let begin = match mode {
                    // A deferred transaction that reads first may be refused the lock for its first write.
                    Mode::Write => "BEGIN IMMEDIATE",
                    Mode::Snapshot => "BEGIN",
                };
                self.execute_simple(begin).await.map(drop)
            }
            Self::Postgres(connection) => {
                let span = statement::begin(DbBackend::Postgres, "BEGIN");
                within_limit(span, connection.begin(mode)).await
            }
        }
    }

    /// Ends the transaction by `sql`: COMMIT or ROLLBACK.
    pub(super) async fn end(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { .. } => self.execute_simple(sql).await.map(drop),
            Self::Postgres(connection) => {
                let span = statement::begin(DbBackend::Postgres, sql);
                within_limit(span, connection.end(sql)).await
            }
        }
    }

    /// Closes the connection and waits until it is closed. An error means that it is closed already.
    pub(super) async fn close(self) {
        let _ = match self {
            Self::Sqlite { connection, .. } => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        };
    }

    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite { connection, .. } => connection.ping().await,
            Self::Postgres(connection) => connection.ping().await,
        }
    }
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

/// True if the server refused to write (25006): it is a standby now, and another one is the primary.
pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    let refusal = error.as_database_error();
    refusal.is_some_and(|refusal| refusal.code().as_deref() == Some("25006"))
}

/// True if the server did not answer the attempt at connecting that returned `error`, or is starting
/// or shutting down (57P01 to 57P03).
pub(super) fn is_unreachable(error: &sqlx::Error) -> bool {
    match error {
        // A proxy without a server closes the connection, which SQLx takes for an invalid response.
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // Class 08: a pooler cannot reach the server.
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().unwrap_or_default();
            code.starts_with("57P") || code.starts_with("08")
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
