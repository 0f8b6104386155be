//! Queues of requests that wait while a query of their lane runs. The next query answers them
//! together.
//!
//! A query that takes longer than [`SLOW`] does not hold its lane: the next one starts beside it.
//!
//! [`SingleFlight`](super::single_flight::SingleFlight) and [`Batches`](super::batches::Batches)
//! are built on this.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{Instant, sleep_until},
};

/// The most rows or distinct keys of one query. Further requests wait for the next.
pub(super) const MAX_BATCH: usize = 64;
/// A query that takes longer is slow. Most take less than 5 ms, and a full batch of the most
/// expensive rows takes about 100 ms.
pub(super) const SLOW: Duration = Duration::from_millis(200);
/// The most queries of one lane that run at once.
const MAX_BESIDE: usize = 4;

/// A query that answers several requests of one lane.
pub(super) trait Work: Clone + Send + Sync + 'static {
    type Lane: Clone + Eq + Hash + Send + Sync + 'static;
    type Input: Send + 'static;
    type Output: Send + 'static;

    /// The number of connections that the queries of all lanes share.
    fn connections(&self) -> usize;

    /// Splits `waiting`, oldest first, into the requests of the next query and the rest, in the same
    /// order. Takes at least one.
    fn split(waiting: Vec<Request<Self>>) -> (Vec<Request<Self>>, Vec<Request<Self>>);

    /// Answers `requests`, at least one. Drops `turn` as soon as the query has ended, so that the
    /// next can begin.
    fn answer(
        self,
        requests: Vec<Request<Self>>,
        turn: Turn<Self>,
    ) -> impl Future<Output = ()> + Send;
}

/// A waiting request. If it is dropped without an answer, as by a panic, its sender gets an error.
pub(super) struct Request<W: Work> {
    pub input: W::Input,
    pub answer: oneshot::Sender<W::Output>,
}

/// The lanes with a running query. Other lanes take no memory. Clones share them.
pub(super) struct Lanes<W: Work>(Arc<Mutex<HashMap<W::Lane, Lane<W>>>>);

struct Lane<W: Work> {
    waiting: Vec<Request<W>>,
    /// When each running query began.
    running: [Option<Instant>; MAX_BESIDE],
    /// Held for the task that starts queries beside a slow one. It ends when this is dropped.
    watch: Option<Arc<()>>,
}

/// The most queries of one lane that run at once: half of the connections, so that other lanes have
/// some too.
fn beside(connections: usize) -> usize {
    (connections / 2).clamp(2, MAX_BESIDE).min(connections)
}

/// The state of a new request.
pub(super) enum Entered<W: Work> {
    /// No query of the lane runs, or only slow ones. The caller runs its own and holds the turn
    /// until it ends.
    First(W::Input, Turn<W>),
    /// A query of the lane runs. A later one answers this request.
    Waiting(oneshot::Receiver<W::Output>),
}

impl<W: Work> Lane<W> {
    /// Begins a query, and returns its place in `running`. Returns `None` if a running query is not
    /// slow, or if as many run as may.
    fn begin(&mut self, beside: usize) -> Option<usize> {
        let now = Instant::now();
        let is_slow = |began: &Instant| now.duration_since(*began) >= SLOW;
        if !self.running.iter().flatten().all(is_slow) {
            return None;
        }
        let mut places = self.running.iter_mut().take(beside).enumerate();
        let (place, free) = places.find(|(_, began)| began.is_none())?;
        *free = Some(now);
        Some(place)
    }

    /// When the next query may begin, unless a running one ends before.
    fn next_start(&self) -> Instant {
        let now = Instant::now();
        let newest = self.running.iter().flatten().max().copied();
        let next = newest.unwrap_or(now) + SLOW;
        // Otherwise all are slow, and as many run as may.
        if next > now { next } else { now + SLOW }
    }
}

impl<W: Work> Lanes<W> {
    pub(super) fn enter(&self, work: W, lane: W::Lane, input: W::Input) -> Entered<W> {
        let mut lanes = self.lock();
        let Some(state) = lanes.get_mut(&lane) else {
            let mut state = Lane::default();
            let place = state.begin(1).unwrap_or_default();
            lanes.insert(lane.clone(), state);
            return Entered::First(input, self.turn(work, lane, place));
        };
        if state.waiting.is_empty()
            && let Some(place) = state.begin(beside(work.connections()))
        {
            return Entered::First(input, self.turn(work, lane, place));
        }
        let (answer, answered) = oneshot::channel();
        state.waiting.push(Request { input, answer });
        if state.watch.is_none() {
            let watch = Arc::new(());
            let held = Arc::downgrade(&watch);
            state.watch = Some(watch);
            tokio::spawn(self.clone().watch(work, lane, held));
        }
        Entered::Waiting(answered)
    }

    /// Starts queries beside slow ones while requests of `lane` wait.
    ///
    /// A busy lane has one such task, which wakes five times a second.
    async fn watch(self, work: W, lane: W::Lane, held: Weak<()>) {
        loop {
            let next_start = {
                let mut lanes = self.lock();
                // Otherwise the lane became idle. It may have a new watch.
                let is_held = held.strong_count() > 0;
                let Some(state) = lanes.get_mut(&lane).filter(|_| is_held) else {
                    return;
                };
                if state.waiting.is_empty() {
                    state.watch = None;
                    return;
                }
                state.next_start()
            };
            sleep_until(next_start).await;
            if held.strong_count() > 0 {
                self.start_next(&work, &lane, None);
            }
        }
    }

    /// Starts a query for the waiting requests of `lane`, if one may begin. Removes an idle lane.
    /// `ended` is the place of a query that has ended.
    fn start_next(&self, work: &W, lane: &W::Lane, ended: Option<usize>) {
        // Without a runtime no request can wait any more.
        let runtime = Handle::try_current();
        let next = {
            let mut lanes = self.lock();
            let Some(state) = lanes.get_mut(lane) else {
                return;
            };
            if let Some(began) = ended.and_then(|place| state.running.get_mut(place)) {
                *began = None;
            }
            let waiting = &mut state.waiting;
            waiting.retain(|request| runtime.is_ok() && !request.answer.is_closed());
            if waiting.is_empty() {
                if state.running.iter().all(Option::is_none) {
                    lanes.remove(lane);
                }
                return;
            }
            let Some(place) = state.begin(beside(work.connections())) else {
                return;
            };
            let (requests, rest) = W::split(mem::take(&mut state.waiting));
            state.waiting = rest;
            (requests, self.turn(work.clone(), lane.clone(), place))
        };
        // Not under the lock: a runtime that stops drops the turn at once.
        if let Ok(runtime) = runtime {
            let (requests, turn) = next;
            runtime.spawn(work.clone().answer(requests, turn));
        }
    }

    fn turn(&self, work: W, lane: W::Lane, place: usize) -> Turn<W> {
        let lanes = self.clone();
        Turn {
            lanes,
            lane,
            place,
            work,
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<W::Lane, Lane<W>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running query. Dropping it starts the next query of its lane.
pub(super) struct Turn<W: Work> {
    lanes: Lanes<W>,
    pub lane: W::Lane,
    place: usize,
    work: W,
}

impl<W: Work> Drop for Turn<W> {
    fn drop(&mut self) {
        self.lanes
            .start_next(&self.work, &self.lane, Some(self.place));
    }
}

impl<W: Work> Default for Lane<W> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            running: [None; MAX_BESIDE],
            watch: None,
        }
    }
}

impl<W: Work> Clone for Lanes<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Work> Default for Lanes<W> {
    fn default() -> Self {
        Self(Arc::default())
    }
}
