//! Holds new statements of a pool back and interrupts the running ones, for the time of a checkpoint.

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: AtomicBool,
    interrupts: AtomicBool,
    opened: Notify,
}

/// Opens its gate when dropped.
pub(super) struct Closed<'a>(&'a Gate);

impl Gate {
    /// Waits while the gate is closed.
    pub(super) async fn pass(&self) {
        while self.closed.load(Ordering::Relaxed) {
            let mut opened = pin!(self.opened.notified());
            opened.as_mut().enable();
            if self.closed.load(Ordering::SeqCst) {
                opened.await;
            }
        }
    }

    pub(super) fn close(&self) -> Closed<'_> {
        self.closed.store(true, Ordering::SeqCst);
        Closed(self)
    }

    /// True if running statements must end.
    pub(super) fn interrupts(&self) -> bool {
        self.interrupts.load(Ordering::Relaxed)
    }
}

impl Closed<'_> {
    /// Ends the running statements with an error, until the gate opens.
    pub(super) fn interrupt(&self) {
        self.0.interrupts.store(true, Ordering::SeqCst);
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.interrupts.store(false, Ordering::SeqCst);
        self.0.closed.store(false, Ordering::SeqCst);
        self.0.opened.notify_waiters();
    }
}
