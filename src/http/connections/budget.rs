//! Budgets of bytes for large responses, until their clients have taken them.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    web::Bytes,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::{sleep, timeout},
};

use super::{Connections, Entry, Open};

/// Responses from this size on need a place in a budget, in bytes.
pub const LARGE: usize = 64 * 1024;
/// Responses above this size have a budget of their own, in bytes. So they do not keep out smaller
/// ones.
pub(super) const HUGE: usize = 1024 * 1024;
/// Maximum size of the responses of one budget that are being sent, in bytes. A larger response is
/// sent alone.
pub(super) const MAX_UNSENT: usize = 16 * 1024 * 1024;
/// Maximum size of the responses that wait for a place in one budget, in bytes. A larger response
/// waits alone.
pub(super) const MAX_WAITING: usize = 8 * 1024 * 1024;
/// Maximum size of the responses of one address that wait, in bytes. A larger response waits if it
/// is the only one of its address.
pub(super) const MAX_WAITING_OF_ADDRESS: usize = MAX_WAITING / 4;
/// Maximum time to wait for a place.
const WAIT: Duration = Duration::from_secs(2);
/// Time that a client has to take a response if others wait for its place. After that, the connection
/// may be closed.
pub(super) const SENDING_TIME: Duration = Duration::from_secs(1);

/// Bounds the responses of one class of sizes.
pub(super) struct Budget {
    /// A permit for each byte that may be sent.
    unsent: Arc<Semaphore>,
    /// A permit for each byte that may wait.
    waiting: Semaphore,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            unsent: Arc::new(Semaphore::new(MAX_UNSENT)),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }
}

/// A place in a budget.
pub struct Reservation {
    entry: Arc<Entry>,
    bytes: usize,
    /// `None` beyond the budget.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.entry.unsent.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A response that waits for its place.
struct Waiting<'a> {
    entry: &'a Entry,
    bytes: usize,
    _permit: SemaphorePermit<'a>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.entry.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Connections {
    /// Reserves `bytes` for a response to the client of `entry`. Waits up to 2 s for a place, and
    /// closes connections whose clients read slowly. `None` if the budget stays used up.
    pub(super) async fn reserve(&self, entry: &Arc<Entry>, bytes: usize) -> Option<Reservation> {
        let bytes = bytes.min(MAX_UNSENT);
        let budget = if bytes > HUGE {
            &self.0.huge
        } else {
            &self.0.large
        };
        let unsent = Arc::clone(&budget.unsent);
        let permits = u32::try_from(bytes).ok()?;
        let permit = if let Ok(permit) = Arc::clone(&unsent).try_acquire_many_owned(permits) {
            permit
        } else {
            let _waiting = self.wait(budget, entry, bytes)?;
            let permit = unsent.acquire_many_owned(permits);
            let make_room = async {
                loop {
                    self.make_room(entry, bytes);
                    sleep(SENDING_TIME).await;
                }
            };
            let permit = async {
                tokio::select! {
                    permit = permit => permit.ok(),
                    () = make_room => None,
                }
            };
            timeout(WAIT, permit).await.ok().flatten()?
        };
        Some(self.count_unsent(entry, bytes, Some(permit)))
    }

    /// Counts `bytes` for a response that must be sent although the budget is used up, and closes
    /// connections whose clients read slowly.
    pub(super) fn exceed(&self, entry: &Arc<Entry>, bytes: usize) -> Reservation {
        let bytes = bytes.min(MAX_UNSENT);
        self.make_room(entry, bytes);
        self.count_unsent(entry, bytes, None)
    }

    fn count_unsent(
        &self,
        entry: &Arc<Entry>,
        bytes: usize,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Reservation {
        entry.unsent.fetch_add(bytes, Ordering::Relaxed);
        entry.reserved_at.store(self.now(), Ordering::Relaxed);
        Reservation {
            entry: Arc::clone(entry),
            bytes,
            _permit: permit,
        }
    }

    /// Counts a response that waits for its place. `None` if too many wait.
    fn wait<'a>(&self, budget: &'a Budget, entry: &'a Entry, bytes: usize) -> Option<Waiting<'a>> {
        let bytes = bytes.min(MAX_WAITING);
        let permits = u32::try_from(bytes).ok()?;
        let permit = budget.waiting.try_acquire_many(permits).ok()?;
        let open = self.open();
        let of_address = open.of_address(entry.address).iter();
        let before: usize = of_address
            .map(|entry| entry.waiting.load(Ordering::Relaxed))
            .sum();
        if !entry.is_proxy && before > 0 && before + bytes > MAX_WAITING_OF_ADDRESS {
            return None;
        }
        entry.waiting.fetch_add(bytes, Ordering::Relaxed);
        drop(open);
        Some(Waiting {
            entry,
            bytes,
            _permit: permit,
        })
    }

    /// Closes connections that together hold `bytes` of the budget for responses of this size, so that
    /// the response to the client of `waiting` gets a place. See [`Open::largest_use`].
    fn make_room(&self, waiting: &Entry, bytes: usize) {
        let is_huge = bytes > HUGE;
        let now = self.now();
        let mut open = self.open();
        let mut closed = 0;
        while closed < bytes {
            let Some(largest) = open.largest_use(waiting, is_huge, now) else {
                return;
            };
            if open.close(&largest) {
                closed += largest.unsent_of(is_huge);
            }
        }
    }
}

impl Open {
    /// The connection to close first, of those whose clients had [`SENDING_TIME`] and have not taken
    /// their response: of the address that holds most of the budget, the one with the highest product
    /// of size and time. `None` if there is none, or if its address holds less than that of `waiting`:
    /// many new responses of one address must not close an old one of another.
    fn largest_use(&self, waiting: &Entry, is_huge: bool, now: u64) -> Option<Arc<Entry>> {
        let sending_time = u64::try_from(SENDING_TIME.as_micros()).unwrap_or_default();
        let least = self.held_by_client_of(waiting, is_huge);
        let uses = self.by_address.values().flat_map(|entries| {
            let of_address: usize = entries.iter().map(|entry| entry.unsent_of(is_huge)).sum();
            entries.iter().filter_map(move |entry| {
                entry.waiting_since()?;
                let unsent = entry.unsent_of(is_huge);
                let held = if entry.is_proxy { unsent } else { of_address };
                let time = now.saturating_sub(entry.reserved_at.load(Ordering::Relaxed));
                let is_slow = unsent > 0 && time >= sending_time && held >= least;
                is_slow.then(|| ((held, u128::from(time) * unsent as u128), entry))
            })
        });
        uses.max_by_key(|(of_budget, _)| *of_budget)
            .map(|(_, entry)| Arc::clone(entry))
    }

    /// Bytes of one budget that the connections of the address of `entry` hold. Of a trusted proxy,
    /// those of this connection: its connections belong to many clients.
    fn held_by_client_of(&self, entry: &Entry, is_huge: bool) -> usize {
        if entry.is_proxy {
            return entry.unsent_of(is_huge);
        }
        let of_address = self.of_address(entry.address).iter();
        of_address.map(|entry| entry.unsent_of(is_huge)).sum()
    }
}

impl Entry {
    /// Bytes that its response holds of the budget for huge responses, or of the other.
    fn unsent_of(&self, is_huge: bool) -> usize {
        let unsent = self.unsent.load(Ordering::Relaxed);
        if (unsent > HUGE) == is_huge {
            unsent
        } else {
            0
        }
    }
}

/// A large body in slices, so that the connection copies a small part of it at a time. Keeps `guard`,
/// such as its place in the budget, until the last slice.
pub struct Sliced<G> {
    body: BoxBody,
    /// The rest of the last chunk of `body`.
    chunk: Bytes,
    _guard: G,
}

impl<G> Sliced<G> {
    /// Slices `body`.
    #[must_use]
    pub fn new(body: BoxBody, guard: G) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
            _guard: guard,
        }
    }
}

impl<G: Unpin> MessageBody for Sliced<G> {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.chunk.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(context)) {
                Some(Ok(chunk)) => self.chunk = chunk,
                end => return Poll::Ready(end),
            }
        }
        let length = self.chunk.len().min(LARGE);
        Poll::Ready(Some(Ok(self.chunk.split_to(length))))
    }
}
