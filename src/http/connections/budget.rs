//! A budget of bytes for large responses, until their clients have taken them.

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
    sync::OwnedSemaphorePermit,
    time::{sleep, timeout},
};

use super::{Connections, Entry};

/// Responses from this size on need a place in the budget, in bytes.
pub const LARGE: usize = 64 * 1024;
/// Maximum size of all large responses that are being sent, in bytes. A larger response is sent
/// alone.
pub(super) const MAX_UNSENT: usize = 20 * 1024 * 1024;
/// Maximum size of all large responses that wait for their place, in bytes. A larger response waits
/// alone.
pub(super) const MAX_WAITING: usize = 8 * 1024 * 1024;
/// Maximum time to wait for a place.
const WAIT: Duration = Duration::from_secs(2);
/// If the budget is used up, connections whose client takes no bytes for this time are closed. A
/// shorter time would also close connections of clients that read.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(1);

/// A place in the budget.
pub struct Reservation {
    entry: Arc<Entry>,
    bytes: usize,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.entry.unsent.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Connections {
    /// Reserves `bytes` for a response to the client of `entry`. Waits up to 2 s for a place, and
    /// closes connections whose clients do not read. `None` if the budget stays used up.
    pub(super) async fn reserve(&self, entry: &Arc<Entry>, bytes: usize) -> Option<Reservation> {
        let bytes = bytes.min(MAX_UNSENT);
        let budget = Arc::clone(&self.0.budget);
        let permits = u32::try_from(bytes).ok()?;
        let permit = if let Ok(permit) = Arc::clone(&budget).try_acquire_many_owned(permits) {
            permit
        } else {
            let _waiting = self.wait(bytes)?;
            let permit = budget.acquire_many_owned(permits);
            let make_room = async {
                loop {
                    self.close_stalled(bytes);
                    sleep(STALLED_AFTER).await;
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
        entry.unsent.fetch_add(bytes, Ordering::Relaxed);
        Some(Reservation {
            entry: Arc::clone(entry),
            bytes,
            _permit: permit,
        })
    }

    /// Counts a response that waits for its place. `None` if too many wait.
    fn wait(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let permits = u32::try_from(bytes.min(MAX_WAITING)).ok()?;
        let waiting = Arc::clone(&self.0.waiting);
        waiting.try_acquire_many_owned(permits).ok()
    }

    /// Closes stalled connections that together hold `bytes` of the budget, those that wait longest
    /// first.
    fn close_stalled(&self, bytes: usize) {
        let stalled = u64::try_from(STALLED_AFTER.as_micros()).unwrap_or_default();
        let before = self.now().saturating_sub(stalled);
        let mut open = self.open();
        let mut closed = 0;
        while closed < bytes {
            let is_stalled = |entry: &Entry| {
                entry.waiting_since() < before && entry.unsent.load(Ordering::Relaxed) > 0
            };
            let entries = open.by_address.values().flatten();
            let Some(longest) = super::longest_waiting(entries, is_stalled) else {
                return;
            };
            closed += longest.unsent.load(Ordering::Relaxed);
            open.close(&longest);
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
