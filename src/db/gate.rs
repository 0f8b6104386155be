//! Holds new statements of a pool back and interrupts the running ones and the snapshots, for the
//! time of a checkpoint.

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: AtomicBool,
    interrupts: AtomicBool,
    interrupted: Notify,
    opened: Notify,
    is_log_full: AtomicBool,
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

    /// Waits until running statements must end.
    pub(super) async fn until_interrupted(&self) {
        let mut interrupted = pin!(self.interrupted.notified());
        interrupted.as_mut().enable();
        if !self.interrupts.load(Ordering::SeqCst) {
            interrupted.await;
        }
    }

    pub(super) fn is_log_full(&self) -> bool {
        self.is_log_full.load(Ordering::Relaxed)
    }

    pub(super) fn set_log_full(&self, is_full: bool) {
        self.is_log_full.store(is_full, Ordering::Relaxed);
    }

    /// True if running statements must end.
    pub(super) fn interrupts(&self) -> bool {
        self.interrupts.load(Ordering::Relaxed)
    }
}

impl Closed<'_> {
    /// Ends the running statements and snapshots with an error, until the gate opens.
    pub(super) fn interrupt(&self) {
        self.0.interrupts.store(true, Ordering::SeqCst);
        self.0.interrupted.notify_waiters();
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.interrupts.store(false, Ordering::SeqCst);
        self.0.closed.store(false, Ordering::SeqCst);
        self.0.opened.notify_waiters();
    }
}
