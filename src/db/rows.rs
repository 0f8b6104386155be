//! Rows one by one, as the database sends them.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt};
use sea_orm::{DbErr, QueryResult, Statement};
use tokio::sync::mpsc;

use super::connection::Connection;

/// The rows of one statement, from [`Autocommit::stream`](super::Autocommit::stream) or
/// [`Transaction::stream`](super::Transaction::stream). Holds at most two rows in memory, apart from
/// the buffers of the driver.
///
/// Does nothing unless polled. If it is dropped before its end, its connection is closed.
#[must_use = "a stream does nothing unless polled"]
pub struct Rows {
    /// Runs the statement and sends its rows. `None` once it has ended.
    query: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    received: mpsc::Receiver<Result<QueryResult, DbErr>>,
}

impl Rows {
    pub(super) fn new<R>(query: impl FnOnce(RowSender) -> R) -> Self
    where
        R: Future<Output = Result<(), DbErr>> + Send + 'static,
    {
        let (sender, received) = mpsc::channel(1);
        let query = query(RowSender {
            sender: sender.clone(),
            has_sent: false,
        });
        Self {
            query: Some(Box::pin(async move {
                if let Err(error) = query.await {
                    let _ = sender.send(Err(error)).await;
                }
            })),
            received,
        }
    }
}

impl Stream for Rows {
    type Item = Result<QueryResult, DbErr>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(query) = &mut self.query
            && query.as_mut().poll(context).is_ready()
        {
            self.query = None;
        }
        self.received.poll_recv(context)
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

/// Hands rows to their [`Rows`].
pub(super) struct RowSender {
    sender: mpsc::Sender<Result<QueryResult, DbErr>>,
    /// True once a row was sent: the statement must not be repeated then.
    pub(super) has_sent: bool,
}

impl RowSender {
    /// Sends all rows of `statement`.
    pub(super) async fn send_all(
        &mut self,
        connection: &mut Connection,
        statement: &Statement,
    ) -> Result<(), sqlx::Error> {
        let entered = connection.enter().await?;
        let sent = self.send_rows(connection, statement).await;
        connection.leave(entered, sent).await
    }

    async fn send_rows(
        &mut self,
        connection: &mut Connection,
        statement: &Statement,
    ) -> Result<(), sqlx::Error> {
        let mut rows = connection.stream(statement);
        while let Some(row) = rows.next().await {
            let row = row?;
            self.has_sent = true;
            // The receiver lives as long as this future is polled.
            let _ = self.sender.send(Ok(row)).await;
        }
        Ok(())
    }
}
