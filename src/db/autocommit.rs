//! Reads outside a transaction.

use std::{pin::pin, sync::Arc};

use async_trait::async_trait;
use futures_util::future::{Either, select};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use tokio::time::timeout;

use super::{connection::is_stale, lanes::SLOW, pool::Pool, rows::Rows};

/// Runs each statement on whichever connection is free, and commits it by itself.
///
/// Repeats a statement once if its connection turns out to be dead: it must change nothing. On
/// PostgreSQL a query that takes longer than 200 ms runs a second time on another connection, because
/// its own may have a server process that hangs; the faster one counts.
#[derive(Clone, Debug)]
pub struct Autocommit {
    pub(super) pool: Arc<Pool>,
}

impl Autocommit {
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// Runs `statement` and yields its rows as the database sends them.
    ///
    /// The stream holds a connection from its first poll until it yields `None` or is dropped.
    /// It fails if it takes longer than the statement time-out (10 s on PostgreSQL, 12 s on SQLite),
    /// the consumer's time included. A consumer that stops polling is not interrupted: limit its
    /// time, and drop the stream.
    pub fn stream(&self, statement: Statement) -> Rows {
        let pool = Arc::clone(&self.pool);
        Rows::new(move |mut sender| async move {
            let mut lease = pool.lease().await?;
            let mut outcome = sender.send_all(&mut lease.connection, &statement).await;
            if lease.reused && !sender.has_sent && outcome.as_ref().is_err_and(is_stale) {
                lease.renew().await?;
                outcome = sender.send_all(&mut lease.connection, &statement).await;
            }
            lease.release(outcome.as_ref().err());
            outcome.map_err(query_error)
        })
    }
}

#[async_trait]
impl ConnectionTrait for Autocommit {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.options().backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut lease = self.pool.lease().await?;
        let outcome = lease.connection.execute(&statement).await;
        lease.release(outcome.as_ref().err());
        outcome.map_err(exec_error)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut lease = self.pool.lease().await?;
        let outcome = lease.connection.execute_simple(sql).await;
        lease.release(outcome.as_ref().err());
        outcome.map_err(exec_error)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if self.get_database_backend() == DbBackend::Sqlite {
            return self.rows(&statement).await;
        }
        let mut first = pin!(self.rows(&statement));
        if let Ok(rows) = timeout(SLOW, &mut first).await {
            return rows;
        }
        let Some(_permit) = self.pool.repeated_read() else {
            return first.await;
        };
        let second = Box::pin(self.rows(&statement));
        match select(first, second).await {
            Either::Left((Err(_), second)) => second.await,
            Either::Right((Err(_), first)) => first.await,
            Either::Left((rows, _)) | Either::Right((rows, _)) => rows,
        }
    }
}

impl Autocommit {
    async fn rows(&self, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut lease = self.pool.lease().await?;
        let mut rows = lease.connection.rows(statement).await;
        if lease.reused && rows.as_ref().is_err_and(is_stale) {
            lease.renew().await?;
            rows = lease.connection.rows(statement).await;
        }
        lease.release(rows.as_ref().err());
        rows.map_err(query_error)
    }
}

pub(super) fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

pub(super) fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
