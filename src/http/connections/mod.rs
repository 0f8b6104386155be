//! Bounds connections: their number, the time that they wait for their client, and the bytes of
//! responses that clients do not read.
//!
//! actix-web has a time-out for the first request head of a connection and for idle connections
//! only. [`Activity`] adds the others.

mod activity;
mod budget;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use futures_util::task::AtomicWaker;

use super::limits::network_address;
use crate::config::ConnectionSettings;
pub use activity::{Activity, HEAD_TIMEOUT, KEEP_ALIVE, OpenRequest, body_was_read};
use budget::Budget;
pub use budget::{LARGE, Reservation, Sliced};
pub use stream::Stream;

/// The value of [`Entry::waiting_since`] while the server works on a request.
const BUSY: u64 = u64::MAX;
/// The value of [`Entry::waiting_since`] after the connection was chosen to make room. It is not
/// counted any more.
const CLOSED: u64 = u64::MAX - 1;

/// The open connections of all workers. Clones share them.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    settings: ConnectionSettings,
    started: Instant,
    open: Mutex<Open>,
    /// For responses of up to 1 MiB.
    large: Budget,
    /// For larger ones.
    huge: Budget,
}

#[derive(Default)]
struct Open {
    count: usize,
    by_address: HashMap<IpAddr, Vec<Arc<Entry>>>,
}

/// An open connection, as other workers see it.
struct Entry {
    address: IpAddr,
    /// Microseconds after [`Shared::started`] since which the connection waits for its client: for
    /// a request, or until the client reads. [`BUSY`] or [`CLOSED`] if it does not wait. One value, so
    /// that a request cannot begin while the connection is chosen.
    waiting_since: AtomicU64,
    /// Bytes of a budget that its response holds.
    unsent: AtomicUsize,
    /// Microseconds after [`Shared::started`] at which its response got its place.
    reserved_at: AtomicU64,
    /// Bytes of its response that wait for a place.
    waiting: AtomicUsize,
    /// The connections of a trusted proxy belong to many clients.
    is_proxy: bool,
    waker: AtomicWaker,
}

impl Entry {
    /// `None` if the connection does not wait for its client.
    fn waiting_since(&self) -> Option<u64> {
        let since = self.waiting_since.load(Ordering::Relaxed);
        (since < CLOSED).then_some(since)
    }

    fn is_closed(&self) -> bool {
        self.waiting_since.load(Ordering::Acquire) == CLOSED
    }

    /// Closes the connection if it waits for its client. False if it does not.
    fn close(&self) -> bool {
        let close = |since| (since < CLOSED).then_some(CLOSED);
        let closed = self
            .waiting_since
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, close)
            .is_ok();
        if closed {
            self.waker.wake();
        }
        closed
    }
}

impl Connections {
    /// No open connections, and the limits of `settings`.
    #[must_use]
    pub fn new(settings: ConnectionSettings) -> Self {
        Self(Arc::new(Shared {
            settings,
            started: Instant::now(),
            open: Mutex::default(),
            large: Budget::default(),
            huge: Budget::default(),
        }))
    }

    /// Counts a new connection from `peer`. At a limit, closes the connection that has waited for
    /// its client for longest: of the same address at the limit per address, of all at the limit
    /// in all. `None` if no connection waits; the new one must be closed then.
    #[must_use]
    pub fn admit(&self, peer: IpAddr) -> Option<Rc<Activity>> {
        let peer = peer.to_canonical();
        let address = network_address(peer);
        let settings = &self.0.settings;
        let mut proxies = settings.trusted_proxies.iter();
        let is_proxy = proxies.any(|network| network.contains(&peer));
        let mut open = self.open();
        while !is_proxy && open.of_address(address).len() >= settings.per_address {
            let longest = longest_waiting(open.of_address(address))?;
            open.close(&longest);
        }
        while open.count >= settings.total {
            let longest = longest_waiting(open.by_address.values().flatten())?;
            open.close(&longest);
        }
        let entry = Arc::new(Entry {
            address,
            waiting_since: AtomicU64::new(self.now()),
            unsent: AtomicUsize::default(),
            reserved_at: AtomicU64::default(),
            waiting: AtomicUsize::default(),
            is_proxy,
            waker: AtomicWaker::default(),
        });
        open.add(&entry);
        drop(open);
        Some(Activity::new(self.clone(), entry))
    }

    /// Maximum number of open connections.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.settings.total
    }

    /// The number of open connections.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open().count
    }

    fn now(&self) -> u64 {
        let time = self.0.started.elapsed().as_micros();
        u64::try_from(time).unwrap_or(CLOSED - 1)
    }

    /// Marks the connection as busy. It counts again if it was just chosen to make room: its request
    /// has begun, so it is not closed, and the number may exceed the limits until the next connection.
    fn keep_busy(&self, entry: &Arc<Entry>) {
        if entry.waiting_since.swap(BUSY, Ordering::AcqRel) == CLOSED {
            self.open().add(entry);
        }
    }

    fn remove(&self, entry: &Arc<Entry>) {
        self.open().remove(entry);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

impl Open {
    fn of_address(&self, address: IpAddr) -> &[Arc<Entry>] {
        self.by_address.get(&address).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, entry: &Arc<Entry>) {
        let entries = self.by_address.entry(entry.address).or_default();
        entries.push(Arc::clone(entry));
        self.count += 1;
    }

    /// Closes the connection. False if it does not wait for its client any more.
    fn close(&mut self, entry: &Arc<Entry>) -> bool {
        let closed = entry.close();
        if closed {
            self.remove(entry);
        }
        closed
    }

    fn remove(&mut self, entry: &Arc<Entry>) {
        let Some(entries) = self.by_address.get_mut(&entry.address) else {
            return;
        };
        let Some(index) = entries.iter().position(|other| Arc::ptr_eq(other, entry)) else {
            return;
        };
        entries.swap_remove(index);
        if entries.is_empty() {
            self.by_address.remove(&entry.address);
        }
        self.count -= 1;
    }
}

/// The connection among `entries` that has waited for its client for longest.
fn longest_waiting<'a>(entries: impl IntoIterator<Item = &'a Arc<Entry>>) -> Option<Arc<Entry>> {
    entries
        .into_iter()
        .filter_map(|entry| Some((entry.waiting_since()?, entry)))
        .min_by_key(|(since, _)| *since)
        .map(|(_, entry)| Arc::clone(entry))
}
