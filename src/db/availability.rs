//! Whether the database answers. All pools of the process share this knowledge, so that only the first
//! requests of an outage wait for it, and none of them for long.

use std::{
    convert::Infallible,
    io,
    pin::pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

/// The database counts as unreachable once at least two attempts at connecting have failed, the
/// first of which began at least this long ago. A statement that [hangs](HANG) counts as the first.
/// Requests wait meanwhile, which bridges a quick restart.
const GRACE: Duration = Duration::from_secs(1);
/// An attempt that begins later than this after the previous failure starts a new series: nothing is
/// known about the time between.
const MAX_GAP: Duration = Duration::from_secs(2);
/// A statement that takes longer than this may have no answer because the database is unreachable. An
/// attempt at connecting tells. It takes at most 3 s, so the statement ends within 4 s in an outage.
const HANG: Duration = Duration::from_millis(500);
/// Pause between two probes.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(super) struct Availability {
    unreachable: AtomicBool,
    /// True while [`probe`](Self::probe) runs. Without it nothing would notice the return.
    probed: AtomicBool,
    changed: Notify,
    /// A statement hangs.
    suspected: Notify,
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

    /// Runs `statement`. If it hangs, fails once the database counts as unreachable.
    pub(super) async fn unless_hung<T>(
        &self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut statement = pin!(statement);
        if let Ok(outcome) = timeout(HANG, &mut statement).await {
            return outcome;
        }
        loop {
            self.suspect();
            let statement = self.while_reachable(&mut statement);
            if let Ok(outcome) = timeout(HANG, statement).await {
                return outcome;
            }
        }
    }

    pub(super) fn is_unreachable(&self) -> bool {
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

    /// Notes that a statement hangs. An attempt at connecting tells whether the database is reachable.
    fn suspect(&self) {
        let now = Instant::now();
        self.attempts().fail(now, now);
        self.suspected.notify_one();
    }

    /// Calls `attempt`, which must note its outcome, once if a statement hangs, and until the database
    /// can be reached, whenever it cannot. One attempt runs at a time.
    pub(super) async fn probe<R>(&self, attempt: impl Fn() -> R) -> Infallible
    where
        R: Future<Output = ()>,
    {
        let _probing = Probing::begin(self);
        loop {
            tokio::select! {
                () = self.until_unreachable() => {}
                () = self.suspected.notified() => attempt().await,
            }
            if !self.is_unreachable() {
                continue;
            }
            let noticed = Instant::now();
            while self.is_unreachable() {
                sleep(PAUSE).await;
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
    use std::future::pending;

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

    /// Runs `statement` and the probe, whose attempts fail after their time-out, or get an answer.
    async fn run<T>(
        statement: impl Future<Output = Result<T, sqlx::Error>>,
        answers: bool,
    ) -> Result<T, sqlx::Error> {
        let availability = Availability::default();
        let attempt = || async {
            let begun = Instant::now();
            if answers {
                return availability.answered();
            }
            sleep(TIMEOUT).await;
            availability.failed(begun, &unreachable());
        };
        tokio::select! {
            never = availability.probe(attempt) => match never {},
            outcome = availability.unless_hung(statement) => outcome,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_statement_that_hangs_ends_with_the_attempt_at_connecting() {
        let began = Instant::now();
        run(pending::<Result<(), _>>(), false).await.unwrap_err();
        let took = began.elapsed();
        assert!(took >= TIMEOUT && took <= HANG + TIMEOUT + HANG, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_statement_goes_on_while_attempts_are_answered() {
        let statement = async {
            sleep(TIMEOUT * 10).await;
            Ok(1)
        };
        assert_eq!(run(statement, true).await.unwrap(), 1);
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
