//! Bounds connections: their number, the time that they wait for their client, and the bytes of
//! responses that clients do not read.
//!
//! actix-web has a time-out for the first request head of a connection and for idle connections
//! only. [`Activity`] adds the others.

mod activity;
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
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;

use super::limits::network_address;
use crate::config::ConnectionSettings;
pub use activity::{Activity, HEAD_TIMEOUT, KEEP_ALIVE, OpenRequest, body_was_read};
pub use stream::Stream;

/// Maximum number of bytes of responses that wait for their clients, in all connections together.
/// Over it, connections whose client takes no bytes for [`STALLED_AFTER`] are closed, those that
/// wait longest first.
const MAX_UNSENT: usize = 32 * 1024 * 1024;
/// See [`MAX_UNSENT`]. A shorter time would also close connections of clients that read.
const STALLED_AFTER: Duration = Duration::from_millis(50);
/// The value of [`Entry::waiting_since`] while the server works on a request.
const BUSY: u64 = u64::MAX;

/// The open connections of all workers. Clones share them.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    settings: ConnectionSettings,
    started: Instant,
    open: Mutex<Open>,
    unsent: AtomicUsize,
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
    /// a request, or until the client reads. [`BUSY`] if it does not wait.
    waiting_since: AtomicU64,
    /// Bytes of the response that the client has not taken.
    unsent: AtomicUsize,
    closed: AtomicBool,
    waker: AtomicWaker,
}

impl Entry {
    fn waiting_since(&self) -> u64 {
        self.waiting_since.load(Ordering::Relaxed)
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.waker.wake();
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
            unsent: AtomicUsize::default(),
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
        let of_address = open.by_address.get(&address).map_or(0, Vec::len);
        if !is_proxy && of_address >= settings.per_address {
            let longest = longest_waiting(open.by_address.get(&address)?, |_| true)?;
            open.close(&longest);
        }
        if open.count >= settings.total {
            let longest = longest_waiting(open.by_address.values().flatten(), |_| true)?;
            open.close(&longest);
        }
        let entry = Arc::new(Entry {
            address,
            waiting_since: AtomicU64::new(self.now()),
            unsent: AtomicUsize::default(),
            closed: AtomicBool::default(),
            waker: AtomicWaker::default(),
        });
        let entries = open.by_address.entry(address).or_default();
        entries.push(Arc::clone(&entry));
        open.count += 1;
        drop(open);
        Some(Activity::new(self.clone(), entry))
    }

    /// The number of open connections.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open().count
    }

    /// Adds `bytes` to the response of `entry` that its client must read.
    fn add_unsent(&self, entry: &Entry, bytes: usize) {
        entry.unsent.fetch_add(bytes, Ordering::Relaxed);
        let total = self.0.unsent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if total <= MAX_UNSENT {
            return;
        }
        let stalled = u64::try_from(STALLED_AFTER.as_micros()).unwrap_or(BUSY);
        let before = self.now().saturating_sub(stalled);
        let mut open = self.open();
        while self.has_too_many_unsent() {
            let stalled = |entry: &Entry| {
                entry.waiting_since() < before && entry.unsent.load(Ordering::Relaxed) > 0
            };
            let Some(longest) = longest_waiting(open.by_address.values().flatten(), stalled) else {
                return;
            };
            self.clear_unsent(&longest);
            open.close(&longest);
        }
    }

    fn has_too_many_unsent(&self) -> bool {
        self.0.unsent.load(Ordering::Relaxed) > MAX_UNSENT
    }

    /// Subtracts up to `bytes` that the client of `entry` has taken.
    fn remove_unsent(&self, entry: &Entry, bytes: usize) {
        let subtract = |unsent: usize| Some(unsent.saturating_sub(bytes));
        let update = entry
            .unsent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract);
        if let Ok(before) = update {
            let taken = before.min(bytes);
            self.0.unsent.fetch_sub(taken, Ordering::Relaxed);
        }
    }

    fn clear_unsent(&self, entry: &Entry) {
        if entry.unsent.load(Ordering::Relaxed) == 0 {
            return;
        }
        let left = entry.unsent.swap(0, Ordering::Relaxed);
        self.0.unsent.fetch_sub(left, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        let time = self.0.started.elapsed().as_micros();
        u64::try_from(time).unwrap_or(BUSY - 1)
    }

    fn remove(&self, entry: &Arc<Entry>) {
        self.clear_unsent(entry);
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
    fn close(&mut self, entry: &Arc<Entry>) {
        self.remove(entry);
        entry.close();
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

/// The connection among `entries` that has waited for its client for longest, and that `may_close`.
fn longest_waiting<'a>(
    entries: impl IntoIterator<Item = &'a Arc<Entry>>,
    may_close: impl Fn(&Entry) -> bool,
) -> Option<Arc<Entry>> {
    entries
        .into_iter()
        .map(|entry| (entry.waiting_since(), entry))
        .filter(|(since, entry)| *since != BUSY && may_close(entry))
        .min_by_key(|(since, _)| *since)
        .map(|(_, entry)| Arc::clone(entry))
}
