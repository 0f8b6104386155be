//! Statements that are committed together.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tokio::sync::Mutex;

use super::{
    connection::{Plan, survives, was_dead},
    each::{exec, query},
    pool::{Lease, Pool, closed},
};

/// What [`Db::write`](super::Db::write) hands to its closure. Dropped before its end, it closes
/// its connection, by which the database rolls it back.
pub struct Transaction {
    backend: DbBackend,
    /// None once the connection is lost or was left in the middle of a statement.
    lease: Mutex<Option<Lease>>,
}

/// Runs `$work` on the connection of `$transaction`, which keeps it if it is sound after that.
macro_rules! on {
    ($transaction:expr, |$connection:ident| $work:expr) => {{
        let mut held = $transaction.lease.lock().await;
        let mut lease = held.take().ok_or_else(closed)?;
        let $connection = &mut lease.connection;
        let outcome = $work.await;
        if outcome.as_ref().err().is_none_or(survives) {
            *held = Some(lease);
        }
        outcome
    }};
}

impl Transaction {
    pub(super) async fn begin(pool: &Arc<Pool>) -> Result<Self, DbErr> {
        let mut lease = pool.lease().await?;
        let mut begun = lease.connection.begin().await;
        if lease.reused && begun.as_ref().is_err_and(was_dead) {
            lease.renew().await?;
            begun = lease.connection.begin().await;
        }
        if begun.is_err() {
            lease.end(&begun);
            begun.map_err(exec)?;
            return Err(closed());
        }
        Ok(Self {
            backend: pool.options.backend(),
            lease: Mutex::new(Some(lease)),
        })
    }

    /// After an error it is not known whether the changes are there.
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        self.end("COMMIT").await
    }

    pub(super) async fn roll_back(self) -> Result<(), DbErr> {
        self.end("ROLLBACK").await
    }

    async fn end(self, sql: &str) -> Result<(), DbErr> {
        let mut lease = self.lease.into_inner().ok_or_else(closed)?;
        let ended = lease.connection.simple(sql).await;
        // A COMMIT that is refused leaves an SQLite transaction open.
        if ended.is_ok() {
            lease.end(&ended);
        }
        ended.map(drop).map_err(exec)
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        on!(self, |connection| connection
            .execute(&statement, Plan::Kept))
        .map_err(exec)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        on!(self, |connection| connection.simple(sql)).map_err(exec)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        on!(self, |connection| connection.rows(&statement, Plan::Kept)).map_err(query)
    }
}
