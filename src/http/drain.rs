//! Counts open requests, so that a stopping server can finish them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The server is idle after this time without an open or new request.
const IDLE_AFTER: Duration = Duration::from_millis(250);

/// The count of open requests, shared by all workers.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    stopping: AtomicBool,
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// Counts one request as open until it is dropped.
pub struct RequestGuard(Drain);

impl Drain {
    /// Counts a request as open until the guard is dropped.
    #[must_use]
    pub fn begin(&self) -> RequestGuard {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        RequestGuard(self.clone())
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
    }

    /// Waits until no request is open and none has arrived for 250 ms.
    pub async fn wait_until_idle(&self) {
        loop {
            let begun = self.0.begun.load(Ordering::SeqCst);
            tokio::time::sleep(IDLE_AFTER).await;
            let ended = self.0.ended.load(Ordering::SeqCst);
            if begun == ended && begun == self.0.begun.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}
