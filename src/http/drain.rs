//! How a stopping server knows that it has answered everybody.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// For how long nothing may have happened before the server counts as quiet.
const QUIET: Duration = Duration::from_millis(250);

/// What is under way, shared by all workers.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    stopping: AtomicBool,
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// One request under way, until it is dropped.
pub struct UnderWay(Drain);

impl Drain {
    /// Counts a request until what this gives is dropped.
    #[must_use]
    pub fn begin(&self) -> UnderWay {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        UnderWay(self.clone())
    }

    /// Whether the server takes no more connections. Each answer then closes its connection, so
    /// that no client sends another request on it that would not be read any more.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::SeqCst)
    }

    /// From now on [`Drain::is_stopping`].
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
    }

    /// Waits until no request is under way and none has come for a quarter of a second.
    pub async fn quiet(&self) {
        loop {
            let begun = self.0.begun.load(Ordering::SeqCst);
            tokio::time::sleep(QUIET).await;
            let ended = self.0.ended.load(Ordering::SeqCst);
            if begun == ended && begun == self.0.begun.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}
