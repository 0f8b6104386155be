//! Queues of requests that wait while a query of their lane runs. The next query answers them
//! together.
//!
//! [`SingleFlight`](super::single_flight::SingleFlight) and [`Batches`](super::batches::Batches)
//! are built on this.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{runtime::Handle, sync::oneshot};

/// The most rows or distinct keys of one query. Further requests wait for the next.
pub(super) const MAX_BATCH: usize = 64;

/// A query that answers several requests of one lane.
pub(super) trait Work: Clone + Send + Sync + 'static {
    type Lane: Clone + Eq + Hash + Send + Sync + 'static;
    type Input: Send + 'static;
    type Output: Send + 'static;

    /// Splits `waiting`, oldest first, into the requests of the next query and the rest.
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

/// The waiting requests of each lane with a running query. Other lanes take no memory. Clones share
/// them.
pub(super) struct Lanes<W: Work>(Arc<Mutex<Waiting<W>>>);

type Waiting<W> = HashMap<<W as Work>::Lane, Vec<Request<W>>>;

/// The state of a new request.
pub(super) enum Entered<W: Work> {
    /// No query of the lane runs. The caller runs its own and holds the turn until it ends.
    First(W::Input, Turn<W>),
    /// A query of the lane runs. A later one answers this request.
    Waiting(oneshot::Receiver<W::Output>),
}

impl<W: Work> Lanes<W> {
    pub(super) fn enter(&self, work: W, lane: W::Lane, input: W::Input) -> Entered<W> {
        let mut lanes = self.lock();
        if let Some(waiting) = lanes.get_mut(&lane) {
            let (answer, answered) = oneshot::channel();
            waiting.push(Request { input, answer });
            return Entered::Waiting(answered);
        }
        lanes.insert(lane.clone(), Vec::new());
        let lanes = self.clone();
        Entered::First(input, Turn { lanes, lane, work })
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running query. Dropping it starts the next query of its lane.
pub(super) struct Turn<W: Work> {
    lanes: Lanes<W>,
    pub lane: W::Lane,
    work: W,
}

impl<W: Work> Turn<W> {
    /// Takes the requests of the next query, or removes the lane.
    fn next(&self) -> Option<Vec<Request<W>>> {
        let mut lanes = self.lanes.lock();
        let mut waiting = lanes.remove(&self.lane)?;
        waiting.retain(|request| !request.answer.is_closed());
        if waiting.is_empty() {
            return None;
        }
        let (requests, rest) = W::split(waiting);
        lanes.insert(self.lane.clone(), rest);
        Some(requests)
    }
}

impl<W: Work> Drop for Turn<W> {
    fn drop(&mut self) {
        // Without a runtime no request can wait any more.
        let Ok(runtime) = Handle::try_current() else {
            self.lanes.lock().remove(&self.lane);
            return;
        };
        if let Some(requests) = self.next() {
            let turn = Self {
                lanes: self.lanes.clone(),
                lane: self.lane.clone(),
                work: self.work.clone(),
            };
            runtime.spawn(self.work.clone().answer(requests, turn));
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
