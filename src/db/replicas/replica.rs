//! A replica, and whether it is in the rotation: whether reads may ask it.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::Position;
use crate::db::{pool::Pool, running_server::RunningServer};

/// Knowledge about a replica counts for this time. Longer than the time between two looks at it, so that it
/// expires only if they stop.
const FRESH: Duration = Duration::from_secs(2);

/// The reason for which a replica is not in the rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// It was not checked for long enough.
    Unchecked,
    /// It cannot be asked.
    Away,
    /// It accepts writes.
    Writable,
    /// It is another database than the primary.
    Other,
    /// Its log has what the primary lacks: they have followed different servers. It stays outside until it, or
    /// the primary, starts again.
    Diverged,
    /// It has not shown yet that it follows the timeline of the primary, which a promotion begins.
    Timeline,
    /// It is further behind the primary than it may be.
    Behind,
    /// The primary does not tell its position.
    Unknown,
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unchecked => "it was not checked for long enough",
            Self::Away => "it cannot be asked",
            Self::Writable => "it is not in recovery: it is no replica",
            Self::Other => "it has another system identifier or database name than the primary",
            Self::Diverged => "its log is ahead of that of the primary",
            Self::Timeline => {
                "its last checkpoint is of another timeline than the log of the primary"
            }
            Self::Behind => "it is too far behind the primary",
            Self::Unknown => "the primary does not tell its position",
        })
    }
}

/// A replica of the database, for all workers of the process.
pub(super) struct Replica {
    /// Its host and port.
    pub name: String,
    pub weight: u32,
    /// One connection, for checks.
    pub pool: Arc<Pool>,
    /// The server of the last check.
    pub server: Arc<RunningServer>,
    /// Reads that it answered.
    pub reads: AtomicU64,
    created: Instant,
    /// The position up to which it has certainly replayed the log; 0 while it is not in the rotation.
    replayed: AtomicU64,
    /// Until when this counts, in milliseconds since `created`.
    fresh_until: AtomicU64,
    /// The greatest age of its state at the last check, in milliseconds.
    lag: AtomicU32,
    /// `None` while it is in the rotation.
    outside: Mutex<Option<Outside>>,
    /// The starts of it and of the primary when they had diverged.
    diverged: Mutex<Option<[String; 2]>>,
    failed: Notify,
}

impl Replica {
    pub(super) fn new(name: String, weight: u32, pool: Arc<Pool>) -> Self {
        Self {
            name,
            weight,
            pool,
            server: Arc::default(),
            reads: AtomicU64::default(),
            created: Instant::now(),
            replayed: AtomicU64::default(),
            fresh_until: AtomicU64::default(),
            lag: AtomicU32::default(),
            outside: Mutex::new(Some(Outside::Unchecked)),
            diverged: Mutex::default(),
            failed: Notify::new(),
        }
    }

    /// The position up to which it has replayed the log; `None` while it is not in the rotation.
    pub(super) fn replayed(&self) -> Option<Position> {
        let number = self.replayed.load(Ordering::SeqCst);
        let is_fresh = || self.now() <= self.fresh_until.load(Ordering::SeqCst);
        (number > 0 && is_fresh()).then(|| Position::from_number(number))
    }

    /// The greatest age of its state at the last check.
    pub(super) fn lag(&self) -> Duration {
        Duration::from_millis(self.lag.load(Ordering::Relaxed).into())
    }

    pub(super) fn enter(&self, replayed: Position, lag: Duration) {
        self.note_lag(lag);
        if self.change(None) {
            tracing::info!(replica = self.name, ?lag, "a replica answers reads");
        }
        let fresh = u64::try_from(FRESH.as_millis()).unwrap_or_default();
        self.fresh_until.store(self.now() + fresh, Ordering::SeqCst);
        self.replayed.store(replayed.number(), Ordering::SeqCst);
    }

    /// Milliseconds since `created`.
    fn now(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn note_lag(&self, lag: Duration) {
        let milliseconds = u32::try_from(lag.as_millis()).unwrap_or(u32::MAX);
        self.lag.store(milliseconds, Ordering::Relaxed);
    }

    /// Takes it out of the rotation. If it is away, the reads that it has not answered end.
    pub(super) fn leave(&self, outside: Outside, cause: &str) {
        self.replayed.store(0, Ordering::SeqCst);
        if self.change(Some(outside)) {
            tracing::warn!(
                replica = self.name,
                cause,
                "a replica answers no reads: {outside}"
            );
        }
        self.failed.notify_waiters();
    }

    /// Notes that it, started at `started`, has diverged from the primary that was started at `primary`.
    pub(super) fn diverge(&self, started: String, primary: String) {
        *self.diverged() = Some([started, primary]);
    }

    /// True if [`diverge`](Self::diverge) was called for these servers.
    pub(super) fn has_diverged(&self, started: &str, primary: &str) -> bool {
        let diverged = self.diverged();
        diverged
            .as_ref()
            .is_some_and(|starts| *starts == [started, primary])
    }

    fn diverged(&self) -> MutexGuard<'_, Option<[String; 2]>> {
        self.diverged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is away.
    pub(super) async fn until_away(&self) {
        loop {
            let mut failed = pin!(self.failed.notified());
            failed.as_mut().enable();
            if *self.outside() == Some(Outside::Away) {
                return;
            }
            failed.await;
        }
    }

    /// Returns true if this is a change.
    fn change(&self, outside: Option<Outside>) -> bool {
        let before = std::mem::replace(&mut *self.outside(), outside);
        before != outside
    }

    fn outside(&self) -> MutexGuard<'_, Option<Outside>> {
        self.outside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
