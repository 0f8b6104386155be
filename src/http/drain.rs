//! Counts open requests, so that a graceful stop can wait for their responses.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

/// The server is idle after this time without an open or new request.
const IDLE_AFTER: Duration = Duration::from_millis(250);

/// The counters of requests, shared by all workers.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    stopping: AtomicBool,
    /// Cancelled at the stop.
    stop: CancellationToken,
    started: AtomicUsize,
    finished: AtomicUsize,
}

/// Guard of one open request. Dropping it counts the request as finished.
pub struct RequestGuard(Drain);

impl Drain {
    /// Counts a started request.
    #[must_use]
    pub fn begin(&self) -> RequestGuard {
        self.0.started.fetch_add(1, Ordering::SeqCst);
        RequestGuard(self.clone())
    }

    /// The number of open requests.
    #[must_use]
    pub fn open(&self) -> usize {
        let finished = self.0.finished.load(Ordering::SeqCst);
        self.0.started.load(Ordering::SeqCst).wrapping_sub(finished)
    }

    /// Whether the server is stopping. Each response must then close its connection, because
    /// a further request on it would not be read.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::SeqCst)
    }

    /// Marks the server as stopping.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
        self.0.stop.cancel();
    }

    /// Waits until the server is stopping.
    pub async fn stopping(&self) {
        self.0.stop.cancelled().await;
    }

    /// Waits until no request is open and none has arrived for 250 ms.
    pub async fn wait_until_idle(&self) {
        loop {
            let started = self.0.started.load(Ordering::SeqCst);
            tokio::time::sleep(IDLE_AFTER).await;
            let finished = self.0.finished.load(Ordering::SeqCst);
            if started == finished && started == self.0.started.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.0.finished.fetch_add(1, Ordering::SeqCst);
    }
}
