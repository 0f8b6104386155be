//! Statements that need no transaction.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

use super::{
    connection::{Plan, was_dead},
    pool::Pool,
};

/// Runs each statement by itself, on whichever connection is free, and commits it.
#[derive(Clone, Debug)]
pub struct Each {
    pub(super) pool: Arc<Pool>,
    /// Whether the statements change nothing, so that they can be sent twice.
    reads: bool,
    once: bool,
}

impl Each {
    pub(super) fn reading(pool: Arc<Pool>) -> Self {
        Self {
            pool,
            reads: true,
            once: false,
        }
    }

    pub(super) fn writing(pool: Arc<Pool>) -> Self {
        Self {
            pool,
            reads: false,
            once: false,
        }
    }

    /// The same, but PostgreSQL plans each statement anew and for its very values, at the price of
    /// another round trip: for statements whose best plan depends on them, such as a search. Their
    /// text must not be used any other way, as a statement that a connection remembers is taken.
    #[must_use]
    pub fn planned_each_time(&self) -> Self {
        Self {
            once: true,
            ..self.clone()
        }
    }

    fn plan(&self) -> Plan {
        if self.once { Plan::Once } else { Plan::Kept }
    }
}

#[async_trait]
impl ConnectionTrait for Each {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.options.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut lease = self.pool.lease().await?;
        let done = lease.connection.execute(&statement, self.plan()).await;
        lease.end(&done);
        done.map_err(exec)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut lease = self.pool.lease().await?;
        let done = lease.connection.simple(sql).await;
        lease.end(&done);
        done.map_err(exec)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut lease = self.pool.lease().await?;
        let mut rows = lease.connection.rows(&statement, self.plan()).await;
        if self.reads && lease.reused && rows.as_ref().is_err_and(was_dead) {
            lease.renew().await?;
            rows = lease.connection.rows(&statement, self.plan()).await;
        }
        lease.end(&rows);
        rows.map_err(query)
    }
}

pub(super) fn exec(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

pub(super) fn query(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
