//! The activity of one connection, and the deadlines that follow from it.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use actix_web::{HttpRequest, http::header};
use tokio::time::{Instant, sleep};

use super::{CLOSED, Connections, Entry, Reservation};

/// Time-out of an idle connection between requests. actix-web closes it.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// actix-web gets this much more time to close a connection itself, with a response or a TCP FIN.
pub(super) const SLACK: Duration = Duration::from_secs(1);
/// Time-out of a request head after its first byte, and of the rest of a body that no handler
/// reads. actix-web answers the first head of a connection with 408 at this time.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A client must take [`MIN_TAKEN`] bytes of a response, or the rest of it, within this time.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// See [`WRITE_TIMEOUT`]. Together they are a minimum rate of 3.2 KiB/s.
pub(super) const MIN_TAKEN: usize = 64 * 1024;

/// The activity of one connection. All methods run in the task of the connection.
pub struct Activity {
    connections: Connections,
    pub(super) entry: Arc<Entry>,
    /// Requests whose response is not complete.
    requests: Cell<u32>,
    /// The open request has a chunked body that was not read to its end.
    has_unread_body: Cell<bool>,
    phase: Cell<Phase>,
    blocked: Cell<Option<Blocked>>,
}

/// The state of a connection without an open request.
#[derive(Clone, Copy)]
enum Phase {
    /// No byte of the next request has arrived. Since the last response.
    Idle(Instant),
    /// A head, or a body that no handler read, may be incomplete. Since its first byte.
    Incomplete(Instant),
}

/// The client does not read, or reads slowly.
#[derive(Clone, Copy)]
struct Blocked {
    since: Instant,
    taken: usize,
}

impl Activity {
    pub(super) fn new(connections: Connections, entry: Arc<Entry>) -> Rc<Self> {
        Rc::new(Self {
            connections,
            entry,
            requests: Cell::default(),
            has_unread_body: Cell::default(),
            phase: Cell::new(Phase::Idle(Instant::now())),
            blocked: Cell::default(),
        })
    }

    /// Runs `served`, the service of this connection, until it ends, its client misses a deadline,
    /// or another connection needs its place. Dropping `served` closes the connection.
    pub async fn limit<T>(&self, served: impl Future<Output = T>) -> Option<T> {
        let mut served = pin!(served);
        let mut timer = pin!(sleep(KEEP_ALIVE));
        poll_fn(|context| {
            self.entry.waker.register(context.waker());
            if self.entry.is_closed() {
                tracing::debug!("a connection made room for another");
                return Poll::Ready(None);
            }
            if let Poll::Ready(done) = served.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            // A later deadline is set when the timer fires. This saves work at every request.
            if let Some(deadline) = self.deadline()
                && deadline < timer.deadline()
            {
                timer.as_mut().reset(deadline);
            }
            while timer.as_mut().poll(context).is_ready() {
                let now = Instant::now();
                let deadline = self.deadline().unwrap_or(now + KEEP_ALIVE);
                if deadline <= now {
                    tracing::debug!("a client missed a deadline; its connection is closed");
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }

    /// The time by which the client must act. `None` while the server works on a request: the time
    /// limits of the handler apply then (`http::route`).
    fn deadline(&self) -> Option<Instant> {
        if let Some(blocked) = self.blocked.get() {
            return Some(blocked.since + WRITE_TIMEOUT);
        }
        if self.requests.get() > 0 {
            return None;
        }
        let deadline = match self.phase.get() {
            Phase::Idle(since) => since + KEEP_ALIVE,
            Phase::Incomplete(since) => since + HEAD_TIMEOUT,
        };
        Some(deadline + SLACK)
    }

    /// Bytes arrived.
    pub(super) fn received(&self) {
        if self.requests.get() == 0 && matches!(self.phase.get(), Phase::Idle(_)) {
            self.phase.set(Phase::Incomplete(Instant::now()));
        }
    }

    /// The client took `bytes` of a response.
    pub(super) fn sent(&self, bytes: usize) {
        if let Some(mut blocked) = self.blocked.get() {
            blocked.taken += bytes;
            if blocked.taken >= MIN_TAKEN {
                blocked = Blocked::now();
            }
            self.blocked.set(Some(blocked));
            self.wait();
        }
    }

    /// The client cannot take more bytes now.
    pub(super) fn block(&self) {
        if self.blocked.get().is_none() {
            self.blocked.set(Some(Blocked::now()));
            self.wait();
        }
    }

    /// The client took all bytes that there are.
    pub(super) fn flushed(&self) {
        if self.blocked.take().is_some() {
            if self.requests.get() > 0 {
                self.connections.keep_busy(&self.entry);
            } else {
                self.phase.set(Phase::Idle(Instant::now()));
            }
        }
    }

    /// Marks the connection as waiting for its client from now on, unless it was chosen to make room.
    fn wait(&self) {
        let now = self.connections.now();
        let wait = |since| (since != CLOSED).then_some(now);
        let state = &self.entry.waiting_since;
        _ = state.fetch_update(Ordering::AcqRel, Ordering::Acquire, wait);
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.connections.remove(&self.entry);
    }
}

impl Blocked {
    fn now() -> Self {
        let since = Instant::now();
        Self { since, taken: 0 }
    }
}

/// A request whose response is not complete. Dropping it ends the request.
pub struct OpenRequest(Rc<Activity>);

impl OpenRequest {
    /// Marks the connection of `request` as busy. `None` if the server was built without
    /// [`Connections`].
    #[must_use]
    pub fn begin(request: &HttpRequest) -> Option<Self> {
        let activity = request.conn_data::<Rc<Activity>>()?;
        Some(Self::of(Rc::clone(activity), request))
    }

    pub(super) fn of(activity: Rc<Activity>, request: &HttpRequest) -> Self {
        activity.requests.update(|requests| requests + 1);
        activity.connections.keep_busy(&activity.entry);
        // actix-web itself waits for the rest of a body with `Content-Length`, and closes in time.
        let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        activity.has_unread_body.set(is_chunked);
        Self(activity)
    }

    /// Reserves a place for a response of `bytes`. Waits up to 2 s for clients of other connections
    /// to read. `None` if the budget stays used up.
    pub async fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let Activity {
            connections, entry, ..
        } = &*self.0;
        connections.reserve(entry, bytes).await
    }

    /// Counts a response of `bytes` that must be sent although the budget is used up.
    #[must_use]
    pub fn exceed(&self, bytes: usize) -> Reservation {
        let Activity {
            connections, entry, ..
        } = &*self.0;
        connections.exceed(entry, bytes)
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let Self(activity) = self;
        activity.requests.update(|requests| requests - 1);
        if activity.requests.get() == 0 {
            let now = Instant::now();
            activity.phase.set(if activity.has_unread_body.take() {
                Phase::Incomplete(now)
            } else {
                Phase::Idle(now)
            });
            activity.wait();
        }
    }
}

/// The body of `request` was read to its end.
pub fn body_was_read(request: &HttpRequest) {
    if let Some(activity) = request.conn_data::<Rc<Activity>>() {
        activity.has_unread_body.set(false);
    }
}
