//! One connection to PostgreSQL, direct or through a pooler.
//!
//! A pooler may run each transaction in another process of the server. So a statement through it has no
//! settings, names or process of a session to rely on: it gets its time limits from a transaction of its
//! own. Only where the pooler takes care of prepared statements, and nothing but the usual limit applies, it
//! is sent by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{TryStreamExt, stream::BoxStream};
use migration::{Opened, Servers, Session};
use sea_orm::{ExecResult, QueryResult, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, Postgres, query::Query, query_as, query_with,
};
use time::OffsetDateTime;

use super::{CLIENT_CHECK, STATEMENT_TIMEOUT, availability::Availability, mode::Mode};

const SERVER_PROCESS: &str =
    "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()";
/// PostgreSQL has `client_connection_check_interval` since this version, and without it finishes the statement
/// of a client that has gone.
const HAS_CLIENT_CHECK: u32 = 140_000;

/// The id of PostgreSQL's process for a connection, and its start. A later process can have the same
/// id.
pub(super) type ServerProcess = (i32, OffsetDateTime);

pub(super) struct PostgresConnection {
    connection: PgConnection,
    session: Session,
    /// `None` through a pooler.
    pub(super) process: Option<ServerProcess>,
    /// True after a [`Canceller`](super::connection::Canceller) was used, or if it is unknown whether a
    /// transaction is open.
    pub(super) cancelled: Arc<AtomicBool>,
    availability: Arc<Availability>,
    /// Time limit of each statement, if it is not the usual one. Applies through a pooler.
    pub(super) limit: Option<Duration>,
    in_transaction: bool,
}

impl PostgresConnection {
    /// Connects within `limit`.
    pub(super) async fn open(
        servers: &Servers,
        limit: Duration,
        availability: &Arc<Availability>,
    ) -> Result<Self, sqlx::Error> {
        let timeout = STATEMENT_TIMEOUT.as_millis().to_string();
        let settings = [("statement_timeout", timeout.as_str())];
        let Opened {
            mut connection,
            session,
        } = servers.connect(limit, &settings).await?;
        let mut process = None;
        if session == Session::Own {
            if has_client_check(&connection) {
                let check = format!("SET {}", client_check());
                connection.execute(AssertSqlSafe(check)).await?;
            }
            let own = query_as::<_, (i32, OffsetDateTime)>(SERVER_PROCESS);
            process = Some(own.fetch_one(&mut connection).await?);
        }
        Ok(Self {
            connection,
            session,
            process,
            cancelled: Arc::default(),
            availability: Arc::clone(availability),
            limit: None,
            in_transaction: false,
        })
    }

    pub(super) async fn rows(
        &mut self,
        statement: &Statement,
    ) -> Result<Vec<QueryResult>, sqlx::Error> {
        let entered = self.enter().await?;
        let rows = self.query(statement).fetch_all(&mut self.connection);
        let rows = self.availability.unless_hung(rows).await;
        let rows = self.leave(entered, rows).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    pub(super) async fn execute(
        &mut self,
        statement: &Statement,
    ) -> Result<ExecResult, sqlx::Error> {
        let entered = self.enter().await?;
        let done = self.query(statement).execute(&mut self.connection);
        let done = self.availability.unless_hung(done).await;
        self.leave(entered, done).await.map(Into::into)
    }

    /// Runs `sql` without preparing it. It may consist of several statements.
    pub(super) async fn execute_simple(&mut self, sql: &str) -> Result<ExecResult, sqlx::Error> {
        let entered = self.enter().await?;
        let done = self.send(sql).await;
        self.leave(entered, done).await
    }

    /// The rows of `statement` as they come. The caller must [enter](Self::enter) before and
    /// [leave](Self::leave) after it.
    pub(super) fn stream<'a>(
        &'a mut self,
        statement: &'a Statement,
    ) -> BoxStream<'a, Result<QueryResult, sqlx::Error>> {
        let rows = self.query(statement).fetch(&mut self.connection);
        Box::pin(rows.map_ok(Into::into))
    }

    pub(super) async fn begin(&mut self, mode: Mode) -> Result<(), sqlx::Error> {
        let begin = match mode {
            Mode::Write => "BEGIN",
            Mode::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        match self.session {
            Session::Own => self.send(begin).await?,
            Session::Pooled { .. } => {
                // 0 would be no limit.
                let limit = self.limit.unwrap_or(STATEMENT_TIMEOUT).as_millis().max(1);
                let mut begin = format!("{begin}; SET LOCAL statement_timeout = {limit}");
                if has_client_check(&self.connection) {
                    begin = format!("{begin}; SET LOCAL {}", client_check());
                }
                let outcome = self.send(&begin).await;
                outcome.inspect_err(|_| self.cancelled.store(true, Ordering::Relaxed))?
            }
        };
        self.in_transaction = true;
        Ok(())
    }

    /// Ends the transaction by `sql`: COMMIT or ROLLBACK.
    pub(super) async fn end(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        self.send(sql).await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Begins a transaction for one statement, if the statement needs it. Returns whether it did.
    pub(super) async fn enter(&mut self) -> Result<bool, sqlx::Error> {
        let needs_transaction = match self.session {
            Session::Own => false,
            Session::Pooled { prepares } => !prepares || self.limit.is_some(),
        };
        let enters = needs_transaction && !self.in_transaction;
        if enters {
            self.begin(Mode::Write).await?;
        }
        Ok(enters)
    }

    /// Ends the transaction of a statement that it was `entered` for.
    pub(super) async fn leave<T>(
        &mut self,
        entered: bool,
        outcome: Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        if !entered {
            return outcome;
        }
        let end = match &outcome {
            Ok(_) => "COMMIT",
            Err(sqlx::Error::Database(_)) => "ROLLBACK",
            Err(_) => return outcome,
        };
        let ended = self.end(end).await;
        if ended.is_err() {
            self.cancelled.store(true, Ordering::Relaxed);
        }
        outcome.and_then(|value| ended.map(|()| value))
    }

    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        self.connection.ping().await
    }

    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }

    async fn send(&mut self, sql: &str) -> Result<ExecResult, sqlx::Error> {
        let done = self.connection.execute(AssertSqlSafe(sql));
        self.availability.unless_hung(done).await.map(Into::into)
    }

    fn query(&self, statement: &Statement) -> Query<'static, Postgres, SqlxValues> {
        let values = statement.values.clone().unwrap_or(Values(Vec::new()));
        let query = query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values));
        // A name would be left in the process of the server, where another client may use it.
        query.persistent(self.session != Session::Pooled { prepares: false })
    }
}

fn has_client_check(connection: &PgConnection) -> bool {
    let version = connection.server_version_num();
    version.is_some_and(|version| version >= HAS_CLIENT_CHECK)
}

/// The rest of [`CLIENT_CHECK`] is for the cancellation itself.
fn client_check() -> String {
    let interval = CLIENT_CHECK * 4 / 5;
    format!(
        "client_connection_check_interval = {}",
        interval.as_millis()
    )
}
