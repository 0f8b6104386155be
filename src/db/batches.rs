//! Batched writes: several requests write their rows in one transaction, because a commit costs more
//! than a row.

use std::{marker::PhantomData, slice, sync::Arc};

use super::{
    Transaction,
    lanes::{Entered, Lanes, MAX_BATCH, Request, Turn, Work},
    pool::Pool,
    transaction::{in_one_statement, in_transaction},
};
use crate::error::Error;

/// A write that is run once for the rows of several requests, in one transaction.
pub trait BatchedWrite: Send + Sync + 'static {
    /// The row of one request.
    type Row: Send + Sync + 'static;
    /// The result for one request.
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
        let rows: Vec<_> = requests
            .iter()
            .map(|request| request.input.clone())
            .collect();
        // Sending an answer fails if its request was cancelled.
        let (error, is_committed) = match write_together::<B>(&self.pool, &rows).await {
            Ok(outputs) => {
                drop(turn);
                for (request, output) in requests.into_iter().zip(outputs) {
                    let _ = request.answer.send(Ok(output));
                }
                return;
            }
            Err(failure) => failure,
        };
        if rows.len() == 1 || is_committed || !is_refusal(&error) {
            drop(turn);
            fail_all(requests, &error);
            return;
        }
        let mut requests = requests.into_iter();
        // The turn ends with the last of them.
        while let Some(Request { input, answer }) = requests.next() {
            if answer.is_closed() {
                continue;
            }
            let outcome = write_alone::<B>(&self.pool, &input).await;
            if let Err(error @ Error::Unavailable(_)) = &outcome {
                // Each of the others would wait for the same time-out.
                fail_all(requests.by_ref(), error);
            }
            let _ = answer.send(outcome);
        }
    }
}

/// True if the database refuses some of the rows. The others may succeed by themselves.
fn is_refusal(error: &Error) -> bool {
    !matches!(error, Error::TryAgain(_) | Error::Unavailable(_))
}

fn fail_all<B: BatchedWrite>(
    requests: impl IntoIterator<Item = Request<Writes<B>>>,
    error: &Error,
) {
    for request in requests {
        let _ = request.answer.send(Err(error.clone()));
    }
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
