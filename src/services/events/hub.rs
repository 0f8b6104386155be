//! Passes new events to the readers of this process.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use entity::values::{EventKind, EventKinds, EventPosition};
use tokio::sync::{
    Semaphore, SemaphorePermit,
    broadcast::{self, error::RecvError},
    watch,
};

use super::event::Event;

/// Batches that a reader may be behind. With [`BATCH`] this bounds the memory of all readers together, at
/// about 500 bytes an event.
const CAPACITY: usize = 64;
/// Maximum number of events of a batch.
pub(super) const BATCH: u64 = 200;

/// Readers that read the log themselves at the same time.
const READS: usize = 4;

/// The kinds after which a credential may be worth nothing. They are always read.
pub const ACCESS_KINDS: EventKinds = EventKinds::of(&[
    EventKind::SessionEnded,
    EventKind::TokenRevoked,
    EventKind::UserUpdated,
    EventKind::UserSuspended,
    EventKind::UserDeleted,
]);

/// The new events of a database, for all readers of this process. Clones share it.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Permits readers to read the log themselves. A server that starts gets many at once.
    reads: Semaphore,
}

struct State {
    batches: broadcast::Sender<Arc<Batch>>,
    /// The end of the last batch; `None` before the log was read.
    tail: watch::Sender<Option<EventPosition>>,
    /// The number of readers of each set of kinds.
    wanted: HashMap<EventKinds, usize>,
}

/// Consecutive events of the log.
#[derive(Debug)]
pub struct Batch {
    /// Those of the kinds that were read.
    pub events: Vec<Event>,
    /// The kinds that were read.
    pub kinds: EventKinds,
    /// The position before the batch.
    pub after: EventPosition,
    /// The last position of the batch. Before `after` if the log was replaced, as by a restored backup.
    pub end: EventPosition,
}

/// The next batch of a reader.
#[derive(Clone, Debug)]
pub enum Received {
    /// The next batch.
    Batch(Arc<Batch>),
    /// The reader was too slow, and missed some.
    Lagged,
}

/// A reader. It gets every batch after the [tail](Self::tail).
pub struct Subscription {
    hub: Hub,
    kinds: EventKinds,
    batches: broadcast::Receiver<Arc<Batch>>,
    tail: EventPosition,
}

impl Default for Hub {
    fn default() -> Self {
        let state = Mutex::new(State {
            batches: broadcast::Sender::new(CAPACITY),
            tail: watch::Sender::new(None),
            wanted: HashMap::new(),
        });
        let reads = Semaphore::new(READS);
        Self(Arc::new(Shared { state, reads }))
    }
}

impl Hub {
    /// Registers a reader of `kinds`. `None` before the log was read for the first time.
    #[must_use]
    pub fn subscribe(&self, kinds: EventKinds) -> Option<Subscription> {
        let mut state = self.state();
        let tail = (*state.tail.borrow())?;
        *state.wanted.entry(kinds).or_default() += 1;
        let batches = state.batches.subscribe();
        let hub = self.clone();
        Some(Subscription {
            hub,
            kinds,
            batches,
            tail,
        })
    }

    /// The position up to which the log was passed on.
    #[must_use]
    pub fn tail(&self) -> Option<EventPosition> {
        *self.state().tail.borrow()
    }

    /// Watches that position.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Option<EventPosition>> {
        self.state().tail.subscribe()
    }

    /// The number of readers.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.state().wanted.values().sum()
    }

    /// The kinds that readers want, and [`ACCESS_KINDS`].
    pub(super) fn kinds(&self) -> EventKinds {
        let state = self.state();
        let wanted = state.wanted.keys().copied();
        wanted.fold(ACCESS_KINDS, EventKinds::union)
    }

    /// Begins, without events, at the end of the log.
    pub(super) fn start_at(&self, tail: EventPosition) {
        self.state().tail.send_replace(Some(tail));
    }

    pub(super) fn publish(&self, batch: Batch) {
        let state = self.state();
        state.tail.send_replace(Some(batch.end));
        // It fails if there is no reader.
        let _ = state.batches.send(Arc::new(batch));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("tail", &self.tail())
            .field("readers", &self.readers())
            .finish()
    }
}

impl Subscription {
    /// The position after which the reader gets every batch.
    #[must_use]
    pub fn tail(&self) -> EventPosition {
        self.tail
    }

    /// The kinds that the reader wants.
    #[must_use]
    pub fn kinds(&self) -> EventKinds {
        self.kinds
    }

    /// Waits for a place to read the log.
    pub async fn place_to_read(&self) -> Option<SemaphorePermit<'_>> {
        self.hub.0.reads.acquire().await.ok()
    }

    /// Waits for the next batch.
    pub async fn receive(&mut self) -> Received {
        match self.batches.recv().await {
            Ok(batch) => Received::Batch(batch),
            // The subscription keeps the hub, and so its sender.
            Err(RecvError::Lagged(_) | RecvError::Closed) => Received::Lagged,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        if let Some(readers) = state.wanted.get_mut(&self.kinds) {
            *readers -= 1;
            if *readers == 0 {
                state.wanted.remove(&self.kinds);
            }
        }
    }
}
