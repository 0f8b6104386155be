//! The use of the replicas, for metrics.

use std::{sync::atomic::Ordering, time::Duration};

use crate::db::Db;

/// The state of the replicas, and the reads since the start.
#[derive(Clone, Debug, Default)]
pub struct ReplicaStatistics {
    /// Each replica.
    pub replicas: Vec<ReplicaState>,
    /// Reads that the primary answered in place of a replica, by the reason.
    pub fallbacks: Vec<(&'static str, u64)>,
    /// Reads that waited for a replica to reach their position.
    pub waits: u64,
}

/// The state of a replica.
#[derive(Clone, Debug)]
pub struct ReplicaState {
    /// Its host and port.
    pub name: String,
    /// True if reads may ask it.
    pub in_rotation: bool,
    /// The greatest age of its state at the last check that it answered.
    pub lag: Duration,
    /// Reads that it answered.
    pub reads: u64,
}

impl Db {
    /// Empty without replicas.
    #[must_use]
    pub fn replica_statistics(&self) -> ReplicaStatistics {
        let Some(replicas) = &self.replicas else {
            return ReplicaStatistics::default();
        };
        let monitor = &replicas.monitor;
        let states = monitor.replicas.iter().map(|replica| ReplicaState {
            name: replica.name.clone(),
            in_rotation: replica.replayed().is_some(),
            lag: replica.lag(),
            reads: replica.reads.load(Ordering::Relaxed),
        });
        ReplicaStatistics {
            replicas: states.collect(),
            fallbacks: monitor.counts.fallbacks().into(),
            waits: monitor.counts.waits.load(Ordering::Relaxed),
        }
    }
}
