//! Reads outside a transaction.

use std::{pin::pin, sync::Arc};

use async_trait::async_trait;
use futures_util::future::{Either, select};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use tokio::time::timeout;

use super::{
    connection::{Connection, is_stale},
    error::is_refused,
    places::ExpensiveList,
    pool::{Lease, Pool},
    queues::SLOW,
    retry::repeat,
    rows::Rows,
};

/// Runs each statement on whichever connection is free, and commits it by itself.
///
/// Repeats a statement once if its connection turns out to be dead, and for some seconds if the database
/// asks for that, as PostgreSQL does where transactions are SERIALIZABLE: it must change nothing. On
/// PostgreSQL a query that takes longer than 200 ms runs a second time if another connection is free,
/// because the server process of its own may hang; the faster one counts.
///
/// Lists have fewer connections than single rows, and expensive lists still fewer: see
/// [`for_list`](Self::for_list) and [`for_expensive_list`](Self::for_expensive_list).
#[derive(Clone, Debug)]
pub struct Autocommit {
    pub(super) pool: Arc<Pool>,
    kind: Kind,
}

/// The kind of a statement.
#[derive(Clone, Debug)]
enum Kind {
    /// Reads single rows.
    Row,
    /// Reads a page of a list, in about the time of a single row.
    List,
    /// One of a list that may take much longer.
    ExpensiveList(Arc<ExpensiveList>),
}

impl Autocommit {
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        let kind = Kind::Row;
        Self { pool, kind }
    }

    /// For a page of a list. On SQLite its queries leave one connection to single rows.
    #[must_use]
    pub fn for_list(self) -> Self {
        let kind = Kind::List;
        Self { kind, ..self }
    }

    /// For a list that may take long. At most half of the connections are used for such lists. The
    /// result and its clones keep the place of one list, so drop them after the last query. If the
    /// queries take longer than 2 s together, the last one is cancelled
    /// ([`Error::TooSlow`](crate::error::Error::TooSlow)). None runs twice.
    ///
    /// # Errors
    /// For [`Error::Busy`](crate::error::Error::Busy) if no place is free within 7 s or too many wait,
    /// and for [`Error::Unavailable`](crate::error::Error::Unavailable) if the other lists use all
    /// connections for 5 s more.
    pub async fn for_expensive_list(self) -> Result<Self, DbErr> {
        let list = self.pool.places.take_expensive().await?;
        let kind = Kind::ExpensiveList(list.into());
        Ok(Self { kind, ..self })
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
        repeat(|| self.query(&statement), is_refused).await
    }
}

impl Autocommit {
    async fn query(&self, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
        let _place = match self.kind {
            Kind::List => self.pool.places.take_list().await?,
            Kind::Row | Kind::ExpensiveList(_) => None,
        };
        let lease = self.pool.lease().await?;
        let is_repeatable = !matches!(self.kind, Kind::ExpensiveList(_));
        if self.get_database_backend() == DbBackend::Sqlite || !is_repeatable {
            return self.rows(lease, statement).await;
        }
        let mut first = pin!(self.rows(lease, statement));
        loop {
            if let Ok(rows) = timeout(SLOW, &mut first).await {
                return rows;
            }
            let second = Box::pin(self.repeat(statement));
            match select(&mut first, second).await {
                Either::Left((Err(error), second)) => {
                    return second.await.ok().flatten().ok_or(error);
                }
                Either::Left((rows, _)) => return rows,
                Either::Right((Ok(Some(rows)), _)) => return Ok(rows),
                Either::Right((Ok(None) | Err(_), _)) => {}
            }
        }
    }

    /// Runs `statement` a second time, if a connection is free.
    async fn repeat(&self, statement: &Statement) -> Result<Option<Vec<QueryResult>>, DbErr> {
        match self.pool.spare().await? {
            Some((lease, _permit)) => self.rows(lease, statement).await.map(Some),
            None => Ok(None),
        }
    }

    async fn rows(
        &self,
        mut lease: Lease,
        statement: &Statement,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let mut rows = self.rows_of(&mut lease.connection, statement).await;
        if lease.reused && rows.as_ref().is_err_and(is_stale) {
            lease.renew().await?;
            rows = self.rows_of(&mut lease.connection, statement).await;
        }
        lease.release(rows.as_ref().err());
        rows.map_err(query_error)
    }

    async fn rows_of(
        &self,
        connection: &mut Connection,
        statement: &Statement,
    ) -> Result<Vec<QueryResult>, sqlx::Error> {
        let Kind::ExpensiveList(list) = &self.kind else {
            return connection.rows(statement).await;
        };
        let limited = list.run(|limit| async move {
            let canceller = connection.canceller();
            connection.limit_statements(Some(limit));
            let rows = connection.rows(statement);
            match canceller {
                Some(canceller) => self.pool.limit(&canceller, limit, rows).await,
                None => rows.await,
            }
        });
        // Boxed, because the future of every other read would contain it.
        Box::pin(limited).await
    }
}

pub(super) fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

pub(super) fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
