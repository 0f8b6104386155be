//! Batched writes: several requests write their rows in one transaction, because a commit costs more
//! than a row.
//!
//! A batch is bounded in rows, in bytes and in time. One row can fail or delay the others of its
//! batch only for as long as [`BATCH_LIMIT`]: then they are written without it.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    marker::PhantomData,
    slice,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::runtime::Handle;

use super::{
    Transaction,
    mode::Mode,
    pool::Pool,
    queues::{
        Entered, InFlight, MAX_BATCH, MAX_IN_FLIGHT, Queues, Request, SLOW, Work, max_in_flight,
        wait_span,
    },
    transaction::{in_one_statement, in_transaction},
};
use crate::{error::Error, metrics};

/// Maximum number of bytes of one batch, by [`BatchedWrite::bytes`].
///
/// The most expensive text takes about 0.8 ms per kB to index, so a batch takes 50 ms at most.
const MAX_BYTES: usize = 64 * 1024;
/// A row with more bytes is written by itself.
pub(super) const LARGE: usize = 4 * 1024;
/// A batch of several rows is cancelled after this time, and its rows are written in parts. A single
/// row has the time limit of any statement.
const BATCH_LIMIT: Duration = Duration::from_secs(1);
/// Maximum number of slow rows of one batch that are written at the same time.
const SLOW_ROWS: usize = 2;

/// A write that is run once for the rows of several requests, in one transaction.
pub trait BatchedWrite: Send + Sync + 'static {
    /// The row of one request.
    type Row: Send + Sync + 'static;
    /// The result for one request.
    type Output: Send + 'static;

    /// True if [`write`](Self::write) runs exactly one statement, which then commits by itself. This
    /// saves the round trips of BEGIN and COMMIT: up to 30 % of the rate. A second statement fails.
    const ONE_STATEMENT: bool = false;

    /// The size of the texts of `row`, which decides how long it takes. Above 4 KiB it is not written
    /// with others. If it is not 0, the words are merged into the full-text index soon after.
    fn bytes(_row: &Self::Row) -> usize {
        0
    }

    /// Rows of one group are likely to be slow together, because they have one author or lock one
    /// row. A group that has more waiting rows than others does not get more rows of a batch, as long
    /// as the others have some.
    fn group(_row: &Self::Row) -> i64 {
        0
    }

    /// Writes 1 to 64 rows and returns one output per row, by position. Everything done in
    /// `transaction` commits with the rows, or not at all.
    ///
    /// After an error other than [`Error::TryAgain`], [`Error::Unavailable`] and
    /// [`Error::StorageFull`] the rows of a batch are written again in parts: by group, and then each
    /// row by itself. Must not do anything that a rollback does not undo.
    fn write(
        transaction: &Transaction,
        rows: &[Arc<Self::Row>],
    ) -> impl Future<Output = Result<Vec<Self::Output>, Error>> + Send;
}

/// How several workers share batches.
#[derive(Clone, Debug)]
pub(super) struct Sharing {
    /// The runtime of the batches for several rows. It outlives the workers, which end one after the other.
    pub runtime: Handle,
    /// The number of workers. The batches have as many places among the statements that wait for the writer, at most
    /// [`MAX_IN_FLIGHT`], as if each worker had its own.
    pub workers: usize,
}

/// The rows for `B` of one worker, or of all workers. Clones share them.
pub(super) struct Batches<B: BatchedWrite>(Queues<Writes<B>>);

struct Writes<B> {
    pool: Arc<Pool>,
    sharing: Option<Sharing>,
    batch: PhantomData<B>,
}

impl<B: BatchedWrite> Batches<B> {
    /// Writes `row`: at once if no batch runs, else with the next batch.
    pub(super) async fn write(
        &self,
        pool: &Arc<Pool>,
        sharing: Option<&Sharing>,
        row: Arc<B::Row>,
    ) -> Result<B::Output, Error> {
        let writes = Writes::new(Arc::clone(pool), sharing.cloned());
        match self.0.enter(writes, (), row) {
            Entered::Started(row, _in_flight) => write_alone::<B>(pool, &row).await,
            Entered::Waiting(answered) => {
                let _span = wait_span();
                answered.await.unwrap_or_else(|_| Err(lost()))
            }
        }
    }
}

impl<B: BatchedWrite> Work for Writes<B> {
    type QueueKey = ();
    type Input = Arc<B::Row>;
    type Output = Result<B::Output, Error>;

    fn max_in_flight(&self) -> usize {
        match &self.sharing {
            Some(sharing) => sharing.workers.clamp(1, MAX_IN_FLIGHT),
            None => max_in_flight(self.pool.size()),
        }
    }

    fn fill_query(&self, waiting: &[Request<Self>]) -> bool {
        self.sharing.is_some() && (waiting.len() >= MAX_BATCH || bytes_of(waiting) >= MAX_BYTES)
    }

    fn runtime(&self) -> Option<Handle> {
        let sharing = self.sharing.as_ref();
        sharing.map(|sharing| sharing.runtime.clone())
    }

    fn metrics(&self) -> Option<&metrics::Batches> {
        self.pool.metrics().map(|metrics| &metrics.writes)
    }

    fn split(waiting: Vec<Request<Self>>) -> (Vec<Request<Self>>, Vec<Request<Self>>) {
        if waiting.len() <= MAX_BATCH && bytes_of(&waiting) <= MAX_BYTES {
            return (waiting, Vec::new());
        }
        // First the oldest row of each group, then the second of each.
        let mut of_group = HashMap::new();
        let number = |request: &Request<Self>| {
            let count: &mut usize = of_group.entry(B::group(&request.input)).or_default();
            *count += 1;
            *count
        };
        let numbers: Vec<usize> = waiting.iter().map(number).collect();
        let mut order: Vec<_> = numbers.into_iter().zip(0..).zip(&waiting).collect();
        order.sort_by_key(|(place, _)| *place);
        // A row that does not fit does not keep smaller ones out.
        let (mut rows, mut bytes) = (0, 0);
        let mut taken = vec![false; waiting.len()];
        for ((_, index), request) in order {
            let more = bytes + B::bytes(&request.input);
            if rows == 0 || rows < MAX_BATCH && more <= MAX_BYTES {
                (rows, bytes) = (rows + 1, more);
                if let Some(taken) = taken.get_mut::<usize>(index) {
                    *taken = true;
                }
            }
        }
        let (batch, rest): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .zip(taken)
            .partition(|(_, taken)| *taken);
        let requests = |of: Vec<(Request<Self>, bool)>| -> Vec<_> {
            of.into_iter().map(|(request, _)| request).collect()
        };
        let (batch, mut rest) = (requests(batch), requests(rest));
        // The groups that the batch left out come first in the next one.
        let group = |request: &Request<Self>| B::group(&request.input);
        let groups: HashSet<i64> = batch.iter().map(group).collect();
        rest.sort_by_key(|request| groups.contains(&group(request)));
        (batch, rest)
    }

    async fn answer(self, requests: Vec<Request<Self>>, in_flight: InFlight<Self>) {
        let limit = (requests.len() > 1).then_some(BATCH_LIMIT);
        match self.write(&requests, limit).await {
            Ok(outputs) => {
                drop(in_flight);
                answer_all(requests, outputs);
            }
            Err((_, Scope::Some)) if requests.len() > 1 => self.write_parts(requests).await,
            Err((error, _)) => {
                drop(in_flight);
                fail_all(requests, &error);
            }
        }
    }
}

/// The rows that an error is about.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    /// Some of them, and the others may succeed by themselves.
    Some,
    /// All.
    All,
}

impl<B: BatchedWrite> Writes<B> {
    async fn write(
        &self,
        requests: &[Request<Self>],
        limit: Option<Duration>,
    ) -> Result<Vec<B::Output>, (Error, Scope)> {
        let rows = requests.iter().map(|request| Arc::clone(&request.input));
        let rows: Vec<_> = rows.collect();
        let written = write_together::<B>(&self.pool, &rows, limit).await;
        written.map_err(|(error, is_committed)| {
            let is_of_all = matches!(
                error,
                Error::TryAgain(_) | Error::Unavailable(_) | Error::StorageFull(_)
            );
            let scope = if is_committed || is_of_all {
                Scope::All
            } else {
                Scope::Some
            };
            (error, scope)
        })
    }

    /// Writes the rows of a batch that failed: first each group by itself, then the rows of groups
    /// that fail. A slow row is left for the end.
    async fn write_parts(&self, requests: Vec<Request<Self>>) {
        let mut parts = VecDeque::from(in_parts(requests));
        let mut slow = Vec::new();
        while let Some(mut part) = parts.pop_front() {
            part.retain(|request| !request.answer.is_closed());
            if part.is_empty() {
                continue;
            }
            match self.write(&part, Some(SLOW)).await {
                Ok(outputs) => answer_all(part, outputs),
                Err((_, Scope::Some)) if part.len() > 1 => parts.extend(in_parts(part)),
                Err((Error::TooSlow(_), _)) => slow.extend(part),
                Err((error @ (Error::Unavailable(_) | Error::StorageFull(_)), _)) => {
                    // Each of the others would wait for the same time-out, or fail as well.
                    fail_all(part, &error);
                    return fail_all(parts.into_iter().flatten().chain(slow), &error);
                }
                Err((error, _)) => fail_all(part, &error),
            }
        }
        let write = |Request { input, answer, .. }: Request<Self>| async move {
            if !answer.is_closed() {
                let _ = answer.send(write_alone::<B>(&self.pool, &input).await);
            }
        };
        stream::iter(slow)
            .for_each_concurrent(SLOW_ROWS, write)
            .await;
    }
}

fn bytes_of<B: BatchedWrite>(requests: &[Request<Writes<B>>]) -> usize {
    let bytes = requests.iter().map(|request| B::bytes(&request.input));
    bytes.sum()
}

/// The rows of `requests` by group; each row by itself if there is one group.
fn in_parts<B: BatchedWrite>(requests: Vec<Request<Writes<B>>>) -> Vec<Vec<Request<Writes<B>>>> {
    let mut groups: BTreeMap<i64, Vec<_>> = BTreeMap::new();
    for request in requests {
        let group = groups.entry(B::group(&request.input)).or_default();
        group.push(request);
    }
    if groups.len() == 1 {
        let rows = groups.into_values().flatten();
        return rows.map(|request| vec![request]).collect();
    }
    groups.into_values().collect()
}

// Sending an answer fails if its request was cancelled.

fn answer_all<B: BatchedWrite>(requests: Vec<Request<Writes<B>>>, outputs: Vec<B::Output>) {
    for (request, output) in requests.into_iter().zip(outputs) {
        let _ = request.answer.send(Ok(output));
    }
}

fn fail_all<B: BatchedWrite>(
    requests: impl IntoIterator<Item = Request<Writes<B>>>,
    error: &Error,
) {
    for request in requests {
        let _ = request.answer.send(Err(error.clone()));
    }
}

/// Writes `row` by itself.
pub(super) async fn write_alone<B: BatchedWrite>(
    pool: &Arc<Pool>,
    row: &Arc<B::Row>,
) -> Result<B::Output, Error> {
    match write_together::<B>(pool, slice::from_ref(row), None).await {
        Ok(outputs) => outputs.into_iter().next().ok_or_else(lost),
        Err((error, _)) => Err(error),
    }
}

/// Writes `rows`. After an error, returns whether they were committed nevertheless.
async fn write_together<B: BatchedWrite>(
    pool: &Arc<Pool>,
    rows: &[Arc<B::Row>],
    limit: Option<Duration>,
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
        return in_one_statement(pool, limit, write).await;
    }
    let written = in_transaction(pool, Mode::Write, limit, write).await;
    written.map_err(|error| (error, false))
}

impl<B> Writes<B> {
    fn new(pool: Arc<Pool>, sharing: Option<Sharing>) -> Self {
        Self {
            pool,
            sharing,
            batch: PhantomData,
        }
    }
}

impl<B> Clone for Writes<B> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.pool), self.sharing.clone())
    }
}

impl<B: BatchedWrite> Clone for Batches<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: BatchedWrite> Default for Batches<B> {
    fn default() -> Self {
        Self(Queues::default())
    }
}

fn lost() -> Error {
    Error::internal("the batch ended without an answer")
}
