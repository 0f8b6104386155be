//! The use of the connections, for metrics.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use sea_orm::DbBackend;

use super::{Db, pool::Pool};
use crate::metrics::Metrics;

/// The use of the pools of one kind.
#[derive(Clone, Copy, Debug)]
pub struct PoolStatistics {
    /// On SQLite `readers` or `writer`, on PostgreSQL `workers`, `jobs` or `replicas`.
    pub pool: &'static str,
    /// The maximum number of connections.
    pub size: usize,
    /// Connections that run a statement or a transaction, or are being opened.
    pub in_use: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
}

/// The pools of the workers. Clones share them.
#[derive(Clone, Default)]
pub(super) struct WorkerPools(Arc<Mutex<Vec<Weak<Pool>>>>);

impl WorkerPools {
    pub(super) fn add(&self, pool: &Arc<Pool>) {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A worker that panicked was replaced.
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    fn all(&self) -> Vec<Arc<Pool>> {
        let pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pools.iter().filter_map(Weak::upgrade).collect()
    }
}

impl fmt::Debug for WorkerPools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPools").finish_non_exhaustive()
    }
}

impl Db {
    /// Counts shared queries in `metrics` from now on. Only the first call has an effect.
    pub fn count_in(&self, metrics: &Arc<Metrics>) {
        for pool in [&self.reader.pool, &self.writer] {
            let _ = pool.shared().metrics.set(Arc::clone(metrics));
        }
    }

    /// The use of the connections of this process.
    #[must_use]
    pub fn pool_statistics(&self) -> Vec<PoolStatistics> {
        if self.writer.options().backend() == DbBackend::Sqlite {
            return vec![
                statistics("readers", &[Arc::clone(&self.reader.pool)]),
                statistics("writer", &[Arc::clone(&self.writer)]),
            ];
        }
        let mut pools = vec![
            statistics("workers", &self.worker_pools.all()),
            statistics("jobs", &[Arc::clone(&self.writer)]),
        ];
        let replicas = self.replicas.as_ref();
        pools.extend(replicas.map(|replicas| statistics("replicas", &replicas.worker_pools.all())));
        pools
    }

    /// False while the database counts as unreachable.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        !self.writer.shared().availability.is_unreachable()
    }
}

fn statistics(name: &'static str, pools: &[Arc<Pool>]) -> PoolStatistics {
    let none = PoolStatistics {
        pool: name,
        size: 0,
        in_use: 0,
        waiting: 0,
    };
    pools.iter().fold(none, |sum, pool| {
        let status = pool.status();
        PoolStatistics {
            size: sum.size + pool.size(),
            in_use: sum.in_use + status.size.saturating_sub(status.available),
            waiting: sum.waiting + status.waiting,
            ..sum
        }
    })
}
