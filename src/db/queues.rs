//! Queues of requests that one query can answer together. Requests that arrive while a query of
//! their queue is in flight wait for the next.
//!
//! A query that takes longer than [`SLOW`] does not block its queue: the next one runs concurrently.
//!
//! [`SingleFlight`](super::single_flight::SingleFlight) and [`Batches`](super::batches::Batches)
//! are built on this.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use opentelemetry::{Context, KeyValue, context::FutureExt as _, trace::SpanBuilder};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{Instant, sleep_until},
};

use crate::{
    metrics,
    traces::{self, Child},
};

/// Maximum number of rows or distinct keys of one query. Further requests wait for the next.
pub(super) const MAX_BATCH: usize = 64;
/// A query that takes longer is slow. Most take less than 5 ms, and a full batch of the most
/// expensive rows takes about 50 ms.
pub(super) const SLOW: Duration = Duration::from_millis(200);
/// Maximum number of queries of one queue in flight.
pub(super) const MAX_IN_FLIGHT: usize = 4;

/// A query that answers several requests of one queue.
pub(super) trait Work: Clone + Send + Sync + 'static {
    /// Requests wait in one queue if their keys are equal.
    type QueueKey: Clone + Eq + Hash + Send + Sync + 'static;
    type Input: Send + 'static;
    type Output: Send + 'static;

    /// Maximum number of queries of one queue in flight, at most [`MAX_IN_FLIGHT`].
    fn max_in_flight(&self) -> usize;

    /// Whether a query begins although another one is in flight, because there are enough `waiting` requests. It
    /// gets its place among the statements that wait for a connection.
    fn fill_query(&self, _waiting: &[Request<Self>]) -> bool {
        false
    }

    /// The runtime of the queries that several requests share, if it is not the current one.
    fn runtime(&self) -> Option<Handle> {
        None
    }

    /// Counts the queries; `None` if metrics are off.
    fn metrics(&self) -> Option<&metrics::Batches>;

    /// Splits `waiting` into the requests of the next query, at least one, and the rest. Later ones are
    /// appended to the rest.
    fn split(waiting: Vec<Request<Self>>) -> (Vec<Request<Self>>, Vec<Request<Self>>);

    /// Answers `requests`, at least one. Drops `in_flight` as soon as the query has ended, so that the
    /// next can begin.
    fn answer(
        self,
        requests: Vec<Request<Self>>,
        in_flight: InFlight<Self>,
    ) -> impl Future<Output = ()> + Send;
}

/// A waiting request. If it is dropped without an answer, as by a panic, its sender gets an error.
pub(super) struct Request<W: Work> {
    pub input: W::Input,
    /// When it began to wait; `None` if metrics are off.
    pub since: Option<Instant>,
    /// `None` if it is not traced.
    pub context: Option<Context>,
    pub answer: oneshot::Sender<W::Output>,
}

/// The queues that are in use, or were less than [`SLOW`] ago. Clones share them.
pub(super) struct Queues<W: Work>(Arc<Mutex<HashMap<W::QueueKey, Queue<W>>>>);

struct Queue<W: Work> {
    waiting: Vec<Request<W>>,
    /// The start of each query in flight.
    in_flight: [Option<Instant>; MAX_IN_FLIGHT],
    /// Upgrades as long as the task of [`Queues::watch`] exists.
    watcher: Weak<()>,
}

/// Maximum number of queries of one queue in flight: half of the connections, so that other queues
/// have some too.
pub(super) fn max_in_flight(connections: usize) -> usize {
    (connections / 2).clamp(2, MAX_IN_FLIGHT).min(connections)
}

/// The state of a new request.
pub(super) enum Entered<W: Work> {
    /// No query of the queue is in flight, or only slow ones. The caller runs its own and holds the
    /// guard until it ends.
    Started(W::Input, InFlight<W>),
    /// A query of the queue is in flight. A later one answers this request.
    Waiting(oneshot::Receiver<W::Output>),
}

impl<W: Work> Queue<W> {
    /// Begins a query, and returns its index in `in_flight`. Returns `None` if the maximum number is in flight. Also
    /// if one in flight is not slow, unless the waiting requests fill a query.
    fn begin(&mut self, work: &W) -> Option<usize> {
        let now = Instant::now();
        let is_slow = |began: &Instant| now.duration_since(*began) >= SLOW;
        if !self.in_flight.iter().flatten().all(is_slow) && !work.fill_query(&self.waiting) {
            return None;
        }
        let max = work.max_in_flight();
        let mut indexed = self.in_flight.iter_mut().take(max).enumerate();
        let (index, free) = indexed.find(|(_, began)| began.is_none())?;
        *free = Some(now);
        Some(index)
    }

    /// When the next query may begin, unless one in flight ends before.
    fn next_start(&self) -> Instant {
        let now = Instant::now();
        let newest = self.in_flight.iter().flatten().max().copied();
        let next = newest.unwrap_or(now) + SLOW;
        // Otherwise all are slow, and there are as many as possible.
        if next > now { next } else { now + SLOW }
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.iter().all(Option::is_none)
    }

    fn is_watched(&self) -> bool {
        self.watcher.strong_count() > 0
    }
}

impl<W: Work> Queues<W> {
    pub(super) fn enter(&self, work: W, key: W::QueueKey, input: W::Input) -> Entered<W> {
        let mut queues = self.lock();
        let Some(queue) = queues.get_mut(&key) else {
            let mut queue = Queue::default();
            let index = queue.begin(&work).unwrap_or_default();
            queues.insert(key.clone(), queue);
            drop(queues);
            count_started(&work);
            return Entered::Started(input, self.in_flight(work, key, index));
        };
        if queue.waiting.is_empty()
            && let Some(index) = queue.begin(&work)
        {
            drop(queues);
            count_started(&work);
            return Entered::Started(input, self.in_flight(work, key, index));
        }
        let (answer, answered) = oneshot::channel();
        queue.waiting.push(Request {
            input,
            since: work.metrics().map(|_| Instant::now()),
            context: traces::current(),
            answer,
        });
        if !queue.is_watched()
            && let Some(runtime) = runtime_of(&work)
        {
            let alive = Arc::new(());
            queue.watcher = Arc::downgrade(&alive);
            let wake = queue.next_start();
            runtime.spawn(self.clone().watch(work, key, wake, alive));
        }
        Entered::Waiting(answered)
    }

    /// Starts the queries for the waiting requests of `key` that may begin, as when those in flight are slow. Ends if
    /// no request waits.
    ///
    /// A queue in use has one such task, which wakes five times a second. The queue stays in memory
    /// until the task ends, because starting a task for each wait would cost more than the wait.
    async fn watch(self, work: W, key: W::QueueKey, mut wake: Instant, _alive: Arc<()>) {
        loop {
            sleep_until(wake).await;
            self.start_next(&work, &key, None);
            let mut queues = self.lock();
            let Some(queue) = queues.get_mut(&key) else {
                return;
            };
            if queue.is_idle() {
                queues.remove(&key);
                return;
            }
            if queue.waiting.is_empty() {
                queue.watcher = Weak::default();
                return;
            }
            wake = queue.next_start();
        }
    }

    /// Starts the queries for the waiting requests of `key` that may begin. Removes the queue if it is
    /// idle. `ended` is the index of a query that has ended.
    fn start_next(&self, work: &W, key: &W::QueueKey, ended: Option<usize>) {
        // Without a runtime no request can wait any more. A runtime that has ended drops the query.
        let runtime = runtime_of(work);
        let next = {
            let mut queues = self.lock();
            let Some(queue) = queues.get_mut(key) else {
                return;
            };
            if let Some(began) = ended.and_then(|index| queue.in_flight.get_mut(index)) {
                *began = None;
            }
            let waiting = &mut queue.waiting;
            waiting.retain(|request| runtime.is_some() && !request.answer.is_closed());
            if waiting.is_empty() {
                if queue.is_idle() && !queue.is_watched() {
                    queues.remove(key);
                }
                return;
            }
            let mut next = Vec::new();
            while !queue.waiting.is_empty()
                && let Some(index) = queue.begin(work)
            {
                let (requests, rest) = W::split(mem::take(&mut queue.waiting));
                queue.waiting = rest;
                next.push((requests, index));
            }
            next
        };
        // Not under the lock: a runtime that stops drops the query at once.
        let answer = |(requests, index): (Vec<Request<W>>, usize)| {
            let in_flight = self.in_flight(work.clone(), key.clone(), index);
            if let Some(metrics) = work.metrics() {
                let oldest = requests.iter().filter_map(|request| request.since).min();
                let wait = oldest.map(|oldest| oldest.elapsed());
                metrics.observe(requests.len(), wait.unwrap_or_default());
            }
            let context = shared_span(&requests);
            let answer = work.clone().answer(requests, in_flight);
            let answer = match context {
                Some(context) => answer.with_context(context).boxed(),
                None => answer.boxed(),
            };
            // A panic ends its own query alone.
            AssertUnwindSafe(answer).catch_unwind()
        };
        let answers: Vec<_> = next.into_iter().map(answer).collect();
        if let Some(runtime) = runtime {
            // In one task, so that they ask for a connection in their order.
            runtime.spawn(join_all(answers));
        }
    }

    fn in_flight(&self, work: W, key: W::QueueKey, index: usize) -> InFlight<W> {
        let queues = self.clone();
        InFlight {
            queues,
            key,
            index,
            work,
        }
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.lock().values().all(Queue::is_idle)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<W::QueueKey, Queue<W>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn runtime_of(work: &impl Work) -> Option<Handle> {
    work.runtime().or_else(|| Handle::try_current().ok())
}

/// Begins the span of a query for `requests`. `None` if no request is traced.
fn shared_span<W: Work>(requests: &[Request<W>]) -> Option<Context> {
    let contexts = requests
        .iter()
        .filter_map(|request| request.context.as_ref());
    traces::shared(contexts, || {
        let count = i64::try_from(requests.len()).unwrap_or(i64::MAX);
        SpanBuilder::from_name("shared query")
            .with_attributes([KeyValue::new("acclaim.requests", count)])
    })
}

/// Begins the span of a request that waits for a query, and for its result.
pub(super) fn wait_span() -> Child {
    traces::child(|| SpanBuilder::from_name("wait for a shared query"))
}

/// Counts a query that began at once, for one request.
fn count_started(work: &impl Work) {
    if let Some(metrics) = work.metrics() {
        metrics.observe(1, Duration::ZERO);
    }
}

/// A query in flight. Dropping it starts the next query of its queue.
pub(super) struct InFlight<W: Work> {
    queues: Queues<W>,
    pub key: W::QueueKey,
    index: usize,
    work: W,
}

impl<W: Work> Drop for InFlight<W> {
    fn drop(&mut self) {
        self.queues
            .start_next(&self.work, &self.key, Some(self.index));
    }
}

impl<W: Work> Default for Queue<W> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            in_flight: [None; MAX_IN_FLIGHT],
            watcher: Weak::default(),
        }
    }
}

impl<W: Work> Clone for Queues<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Work> Default for Queues<W> {
    fn default() -> Self {
        Self(Arc::default())
    }
}
