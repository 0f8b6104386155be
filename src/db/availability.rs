//! Whether the database accepts connections. All pools of the process share this knowledge, so that
//! only the first requests of an outage wait for it.

use std::{
    convert::Infallible,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time::sleep};

use super::connection::Connection;

/// The database counts as away once every attempt at connecting has failed for this time. Requests
/// wait meanwhile, which bridges a quick restart.
const GRACE: Duration = Duration::from_secs(1);
/// Failures that are further apart than this do not belong together.
const MAX_GAP: Duration = Duration::from_secs(2);
/// Pause between two probes. It doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Availability {
    away: AtomicBool,
    /// True while [`probe`](Self::probe) runs. Without it nothing would notice the return.
    probed: AtomicBool,
    changed: Notify,
    attempts: Mutex<Attempts>,
}

/// The latest attempts at connecting.
#[derive(Debug, Default)]
struct Attempts {
    answered: Option<Instant>,
    /// The begin of the first failure since then.
    failing_since: Option<Instant>,
    last_failure: Option<Instant>,
}

impl Availability {
    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// Waits until the database counts as away.
    pub(super) async fn until_away(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.is_away() {
                return;
            }
            changed.await;
        }
    }

    /// Notes that the server answered an attempt at connecting, even if it refused it.
    pub(super) fn answered(&self) {
        *self.attempts() = Attempts {
            answered: Some(Instant::now()),
            ..Attempts::default()
        };
        self.set_away(false);
    }

    /// Notes that the server did not answer an attempt that began at `begun`.
    pub(super) fn failed(&self, begun: Instant, error: &sqlx::Error) {
        let now = Instant::now();
        let mut attempts = self.attempts();
        let last = attempts.last_failure.replace(now);
        if last.is_none_or(|last| now.duration_since(last) > MAX_GAP) {
            attempts.failing_since = None;
        }
        let begun = attempts.answered.map_or(begun, |time| time.max(begun));
        let since = *attempts.failing_since.get_or_insert(begun);
        drop(attempts);
        if now.duration_since(since) < GRACE || !self.probed.load(Ordering::SeqCst) {
            return;
        }
        if self.set_away(true) {
            tracing::error!(%error, "the database cannot be reached: requests are refused until it answers");
        }
    }

    /// Looks for the return of the database whenever it is away, with one attempt at a time.
    /// `connect` must note its outcome.
    pub(super) async fn probe<R>(&self, connect: impl Fn() -> R) -> Infallible
    where
        R: Future<Output = Result<Connection, sqlx::Error>>,
    {
        let _probing = Probing::begin(self);
        loop {
            self.until_away().await;
            let noticed = Instant::now();
            let mut pause = FIRST_PAUSE;
            while self.is_away() {
                sleep(pause).await;
                pause = MAX_PAUSE.min(pause * 2);
                if let Ok(connection) = connect().await {
                    connection.close().await;
                }
            }
            tracing::info!(away = ?noticed.elapsed(), "the database answers again");
        }
    }

    /// Returns true if this is a change.
    fn set_away(&self, away: bool) -> bool {
        let changed = self.away.swap(away, Ordering::SeqCst) != away;
        if changed {
            self.changed.notify_waiters();
        }
        changed
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without a probe the database never counts as away.
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
        self.0.set_away(false);
    }
}
