//! Rows that several requests write in one transaction: a commit costs more than a row.

use std::{marker::PhantomData, slice, sync::Arc};

use super::{
    Transaction,
    lanes::{Entered, Lanes, MAX_BATCH, Request, Turn, Work},
    pool::Pool,
    transaction::{in_one_statement, in_transaction},
};
use crate::error::Error;

/// A write that several requests make in one transaction.
pub trait BatchedWrite: Send + Sync + 'static {
    /// What one request writes.
    type Row: Send + Sync + 'static;
    /// What one request gets.
    type Output: Send + 'static;

    /// True if [`write`](Self::write) runs exactly one statement, which then commits by itself. This
    /// saves the round trips of BEGIN and COMMIT: up to 30 % of the rate. A second statement fails.
    const ONE_STATEMENT: bool = false;

    /// Writes 1 to 64 rows, in order of arrival, and returns one output per row, by position.
    /// Everything done in `transaction` commits with the rows, or not at all.
    ///
    /// After an error other than [`Error::TryAgain`] and [`Error::Unavailable`] each row of a batch
    /// is written again by itself. Must not do anything that a rollback does not undo.
    fn write(
        transaction: &Transaction,
        rows: &[Arc<Self::Row>],
    ) -> impl Future<Output = Result<Vec<Self::Output>, Error>> + Send;
}

/// One worker's rows for `B`. Clones share them.
pub(super) struct Batches<B: BatchedWrite>(Lanes<Writes<B>>);

struct Writes<B> {
    pool: Arc<Pool>,
    batch: PhantomData<B>,
}

impl<B: BatchedWrite> Batches<B> {
    /// Writes `row`: at once if no batch runs, else with the next batch.
    pub(super) async fn write(
        &self,
        pool: &Arc<Pool>,
        row: Arc<B::Row>,
    ) -> Result<B::Output, Error> {
        let writes = Writes::new(Arc::clone(pool));
        match self.0.enter(writes, (), row) {
            Entered::First(row, _turn) => write_alone::<B>(pool, &row).await,
            Entered::Waiting(answered) => answered.await.unwrap_or_else(|_| Err(lost())),
        }
    }
}

impl<B: BatchedWrite> Work for Writes<B> {
    type Lane = ();
    type Input = Arc<B::Row>;
    type Output = Result<B::Output, Error>;

    fn split(mut waiting: Vec<Request<Self>>) -> (Vec<Request<Self>>, Vec<Request<Self>>) {
        let rest = waiting.split_off(waiting.len().min(MAX_BATCH));
        (waiting, rest)
    }

    async fn answer(self, requests: Vec<Request<Self>>, turn: Turn<Self>) {
        let requests = requests.into_iter();
        let (rows, answers): (Vec<_>, Vec<_>) = requests
            .map(|Request { input, answer }| (input, answer))
            .unzip();
        let outputs = write_all::<B>(&self.pool, &rows).await;
        drop(turn);
        for (answer, output) in answers.into_iter().zip(outputs) {
            // Fails if the request was cancelled.
            let _ = answer.send(output);
        }
    }
}

/// Writes `rows` in one transaction, or each in its own if the database refuses one of them.
async fn write_all<B: BatchedWrite>(
    pool: &Arc<Pool>,
    rows: &[Arc<B::Row>],
) -> Vec<Result<B::Output, Error>> {
    let (error, is_committed) = match write_together::<B>(pool, rows).await {
        Ok(outputs) => return outputs.into_iter().map(Ok).collect(),
        Err(failure) => failure,
    };
    let is_refused = !matches!(error, Error::TryAgain(_) | Error::Unavailable(_));
    if rows.len() == 1 || !is_refused || is_committed {
        return rows.iter().map(|_| Err(error.clone())).collect();
    }
    let mut outputs = Vec::with_capacity(rows.len());
    for row in rows {
        outputs.push(write_alone::<B>(pool, row).await);
    }
    outputs
}

async fn write_alone<B: BatchedWrite>(
    pool: &Arc<Pool>,
    row: &Arc<B::Row>,
) -> Result<B::Output, Error> {
    match write_together::<B>(pool, slice::from_ref(row)).await {
        Ok(outputs) => outputs.into_iter().next().ok_or_else(lost),
        Err((error, _)) => Err(error),
    }
}

/// Writes `rows`. After an error, returns whether they were committed nevertheless.
async fn write_together<B: BatchedWrite>(
    pool: &Arc<Pool>,
    rows: &[Arc<B::Row>],
) -> Result<Vec<B::Output>, (Error, bool)> {
    let write = |transaction| async move {
        let outputs = B::write(&transaction, rows).await?;
        if outputs.len() == rows.len() {
            Ok(outputs)
        } else {
            Err(lost())
        }
    };
    if B::ONE_STATEMENT {
        return in_one_statement(pool, write).await;
    }
    let written = in_transaction(pool, write).await;
    written.map_err(|error| (error, false))
}

impl<B> Writes<B> {
    fn new(pool: Arc<Pool>) -> Self {
        let batch = PhantomData;
        Self { pool, batch }
    }
}

impl<B> Clone for Writes<B> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.pool))
    }
}

impl<B: BatchedWrite> Clone for Batches<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: BatchedWrite> Default for Batches<B> {
    fn default() -> Self {
        Self(Lanes::default())
    }
}

fn lost() -> Error {
    Error::internal("the batch ended without an answer")
}
