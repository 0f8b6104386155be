//! The knowledge about the replicas that all workers of the process share, and the choice of a replica.

use std::{
    pin::pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{Position, replica::Replica, samples::Samples, writers::Writers};

/// Maximum time that a read waits for a replica to reach its position.
const MAX_WAIT: Duration = Duration::from_millis(200);

/// The reason for which the primary answers a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// No replica is in the rotation.
    NoReplica,
    /// No replica has reached the position in time.
    Position,
    /// The replica failed.
    Failed,
    /// The replica does not have the row, which may be new.
    Missing,
}

pub(super) struct Monitor {
    pub(super) replicas: Vec<Replica>,
    pub(super) writers: Writers,
    pub(super) counts: Counts,
    known: Mutex<Known>,
    /// A replica has replayed more, or has entered the rotation.
    pub(super) advanced: Notify,
    /// A read begins to wait.
    pub(super) wanted: Notify,
    /// The reads that wait.
    pub(super) waiting: AtomicUsize,
}

/// The knowledge about the primary.
#[derive(Default)]
pub(super) struct Known {
    /// The identifier of its cluster, and the name of the database.
    pub identity: String,
    pub timeline: i64,
    /// The start of its server.
    pub started: String,
    pub samples: Samples,
}

/// Counts of reads, for metrics.
#[derive(Default)]
pub(super) struct Counts {
    /// Reads of the primary by the reason, in the order of [`Fallback`].
    fallbacks: [AtomicU64; 4],
    /// Reads that waited for a replica.
    pub waits: AtomicU64,
}

/// The label of each reason, in the order of [`Fallback`].
const REASONS: [&str; 4] = ["no_replica", "position", "failed", "missing"];

impl Counts {
    pub(super) fn count(&self, reason: Fallback) {
        if let Some(count) = self.fallbacks.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn fallbacks(&self) -> [(&'static str, u64); 4] {
        let counts = self.fallbacks.iter();
        let mut counts = counts.map(|count| count.load(Ordering::Relaxed));
        REASONS.map(|reason| (reason, counts.next().unwrap_or_default()))
    }
}

impl Monitor {
    pub(super) fn new(replicas: Vec<Replica>) -> Self {
        Self {
            replicas,
            writers: Writers::default(),
            counts: Counts::default(),
            known: Mutex::default(),
            advanced: Notify::new(),
            wanted: Notify::new(),
            waiting: AtomicUsize::default(),
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses a replica that has reached `position`, and waits up to [`MAX_WAIT`] for one if that can help.
    /// Equal `seed`s get the same replica, as long as the same ones are in the rotation. Returns its index.
    ///
    /// # Errors
    /// The reason for which only the primary can answer.
    pub(super) async fn choose(&self, position: Position, seed: u64) -> Result<usize, Fallback> {
        if let Some(index) = self.pick(position, seed) {
            return Ok(index);
        }
        let in_rotation = || self.replicas.iter().filter_map(Replica::replayed);
        if in_rotation().next().is_none() {
            return Err(Fallback::NoReplica);
        }
        let can_reach = {
            let samples = &self.known().samples;
            let reached_after = MAX_WAIT + samples.since(position);
            in_rotation().any(|replayed| samples.min_age(replayed) <= reached_after)
        };
        if !can_reach || position == Position::MAX {
            return Err(Fallback::Position);
        }
        let _waiting = Waiting::begin(self);
        let end = Instant::now() + MAX_WAIT;
        loop {
            let mut advanced = pin!(self.advanced.notified());
            advanced.as_mut().enable();
            if let Some(index) = self.pick(position, seed) {
                return Ok(index);
            }
            let waited = timeout_at(end, advanced).await;
            waited.map_err(|_| Fallback::Position)?;
        }
    }

    /// One of the replicas that have reached `position`, by weight.
    fn pick(&self, position: Position, seed: u64) -> Option<usize> {
        let candidates = || {
            let indexed = self.replicas.iter().enumerate();
            indexed.filter(|(_, it)| it.replayed().is_some_and(|replayed| replayed >= position))
        };
        let total: u64 = candidates().map(|(_, it)| u64::from(it.weight)).sum();
        let mut point = seed.checked_rem(total)?;
        for (index, replica) in candidates() {
            match point.checked_sub(replica.weight.into()) {
                Some(rest) => point = rest,
                None => return Some(index),
            }
        }
        // One has left the rotation meanwhile.
        candidates().next().map(|(index, _)| index)
    }
}

/// A read that waits.
struct Waiting<'a>(&'a Monitor);

impl<'a> Waiting<'a> {
    fn begin(monitor: &'a Monitor) -> Self {
        monitor.waiting.fetch_add(1, Ordering::SeqCst);
        monitor.wanted.notify_waiters();
        monitor.counts.waits.fetch_add(1, Ordering::Relaxed);
        Self(monitor)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
