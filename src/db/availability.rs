//! Whether the database accepts connections. All pools of the process share this knowledge, so that
//! only the first requests of an outage wait for it.

use std::{
    convert::Infallible,
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

/// The database counts as unreachable once at least two attempts at connecting have failed, the
/// first of which began at least this long ago. Requests wait meanwhile, which bridges a quick
/// restart.
const GRACE: Duration = Duration::from_secs(1);
/// An attempt that begins later than this after the previous failure starts a new series: nothing is
/// known about the time between.
const MAX_GAP: Duration = Duration::from_secs(2);
/// Pause between two probes. It doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Availability {
    unreachable: AtomicBool,
    /// True while [`probe`](Self::probe) runs. Without it nothing would notice the return.
    probed: AtomicBool,
    changed: Notify,
    attempts: Mutex<Attempts>,
}

/// The latest attempts at connecting.
#[derive(Debug, Default)]
struct Attempts {
    answered: Option<Instant>,
    /// The failures since then.
    failures: Option<Failures>,
}

/// A series of failures without an answer between them.
#[derive(Debug)]
struct Failures {
    first_begun: Instant,
    last_ended: Instant,
}

impl Availability {
    /// Runs `work`. Fails at once while the database counts as unreachable.
    pub(super) async fn while_reachable<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        tokio::select! {
            biased;
            () = self.until_unreachable() => Err(unreachable()),
            outcome = work => outcome,
        }
    }

    fn is_unreachable(&self) -> bool {
        self.unreachable.load(Ordering::Relaxed)
    }

    async fn until_unreachable(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.is_unreachable() {
                return;
            }
            changed.await;
        }
    }

    /// Notes that the server answered an attempt at connecting, even if it refused it.
    pub(super) fn answered(&self) {
        *self.attempts() = Attempts {
            answered: Some(Instant::now()),
            failures: None,
        };
        self.set_unreachable(false);
    }

    /// Notes that the server did not answer an attempt that began at `begun`.
    pub(super) fn failed(&self, begun: Instant, error: &sqlx::Error) {
        let is_outage = self.attempts().fail(begun, Instant::now());
        if is_outage && self.probed.load(Ordering::SeqCst) && self.set_unreachable(true) {
            tracing::error!(%error, "the database cannot be reached: requests are refused until it answers");
        }
    }

    /// Calls `attempt`, which must note its outcome, until the database can be reached, whenever it
    /// cannot. One attempt runs at a time.
    pub(super) async fn probe<R>(&self, attempt: impl Fn() -> R) -> Infallible
    where
        R: Future<Output = ()>,
    {
        let _probing = Probing::begin(self);
        loop {
            self.until_unreachable().await;
            let noticed = Instant::now();
            let mut pause = FIRST_PAUSE;
            while self.is_unreachable() {
                sleep(pause).await;
                pause = MAX_PAUSE.min(pause * 2);
                attempt().await;
            }
            tracing::info!(outage = ?noticed.elapsed(), "the database answers again");
        }
    }

    /// Returns true if this is a change.
    fn set_unreachable(&self, unreachable: bool) -> bool {
        let changed = self.unreachable.swap(unreachable, Ordering::SeqCst) != unreachable;
        if changed {
            self.changed.notify_waiters();
        }
        changed
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts {
    /// Notes the failure of an attempt. Returns true if the database counts as unreachable.
    fn fail(&mut self, begun: Instant, ended: Instant) -> bool {
        // The answer is the newer observation.
        if self.answered.is_some_and(|answered| begun < answered) {
            return false;
        }
        match &mut self.failures {
            Some(series) if begun <= series.last_ended + MAX_GAP => {
                series.last_ended = ended;
                ended >= series.first_begun + GRACE
            }
            other => {
                *other = Some(Failures {
                    first_begun: begun,
                    last_ended: ended,
                });
                false
            }
        }
    }
}

/// Without a probe the database never counts as unreachable.
struct Probing<'a>(&'a Availability);

impl<'a> Probing<'a> {
    fn begin(availability: &'a Availability) -> Self {
        availability.probed.store(true, Ordering::SeqCst);
        Self(availability)
    }
}

impl Drop for Probing<'_> {
    fn drop(&mut self) {
        self.0.probed.store(false, Ordering::SeqCst);
        self.0.set_unreachable(false);
    }
}

/// The error of a request during an outage.
fn unreachable() -> sqlx::Error {
    let message = "the database cannot be reached";
    sqlx::Error::Io(io::Error::new(io::ErrorKind::NotConnected, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(3);

    /// Attempts that begin one after the other, each after a pause, and fail after a time. Returns
    /// whether the database counts as unreachable after each of them.
    fn after_each<const N: usize>(failed: [(Duration, Duration); N]) -> [bool; N] {
        let mut attempts = Attempts::default();
        let mut now = Instant::now();
        failed.map(|(pause, duration)| {
            let begun = now + pause;
            now = begun + duration;
            attempts.fail(begun, now)
        })
    }

    #[test]
    fn one_attempt_without_an_answer_is_no_outage() {
        let at_once = (Duration::ZERO, TIMEOUT);
        assert_eq!(after_each([at_once, at_once]), [false, true]);
        let late = (MAX_GAP * 2, TIMEOUT);
        assert_eq!(after_each([at_once, late, at_once]), [false, false, true]);
    }

    #[test]
    fn refused_attempts_are_an_outage_after_a_second() {
        let refused = (Duration::from_millis(400), Duration::from_millis(1));
        assert_eq!(after_each([refused; 4]), [false, false, false, true]);
        let rare = (Duration::from_secs(10), Duration::from_millis(1));
        assert_eq!(after_each([rare; 4]), [false; 4]);
    }

    #[test]
    fn an_attempt_that_began_before_an_answer_does_not_count() {
        let begun = Instant::now();
        let mut attempts = Attempts {
            answered: Some(begun + Duration::from_secs(1)),
            failures: None,
        };
        for _ in 0..2 {
            assert!(!attempts.fail(begun, begun + TIMEOUT));
        }
        assert!(attempts.failures.is_none());
    }
}
