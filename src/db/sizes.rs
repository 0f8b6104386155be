//! The number of workers and the sizes of their pools.

use std::{num::NonZero, thread};

/// Maximum number of PostgreSQL connections of a process by default. Two servers fit into
/// PostgreSQL's default of 100, less 3 for superusers.
pub(super) const DEFAULT_CONNECTIONS: usize = 32;
/// Minimum number of connections of a worker's pool: a request may read while it writes.
const MIN_POOL: usize = 2;
/// Maximum number of connections of a worker's pool. More make PostgreSQL slower.
const MAX_POOL: usize = 8;
/// Number of snapshots that may last long. On PostgreSQL the pool of the jobs has that many
/// connections more than that of a worker.
pub const LONG_SNAPSHOTS: usize = 2;
/// Number of connections of the process outside the pools.
pub(super) const EXTRA_CONNECTIONS: usize = 1;

/// The number of workers of the server: one per core.
#[must_use]
pub fn workers() -> usize {
    thread::available_parallelism().map_or(2, NonZero::get)
}

/// The number of workers, and the size of the pool of each. The jobs have a pool of
/// [`LONG_SNAPSHOTS`] more.
pub(super) fn divide(connections: usize, cores: usize) -> (usize, usize) {
    let divided = connections.saturating_sub(LONG_SNAPSHOTS + EXTRA_CONNECTIONS);
    let workers = (divided / MIN_POOL).saturating_sub(1).clamp(1, cores);
    (workers, (divided / (workers + 1)).clamp(MIN_POOL, MAX_POOL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connections_are_divided_among_the_workers_and_the_jobs() {
        assert_eq!(divide(DEFAULT_CONNECTIONS, 2), (2, 8));
        assert_eq!(divide(DEFAULT_CONNECTIONS, 64), (13, 2));
        for connections in 7..=1000 {
            for cores in 1..=128 {
                let (workers, size) = divide(connections, cores);
                assert!((1..=cores).contains(&workers) && (MIN_POOL..=MAX_POOL).contains(&size));
                let of_jobs = size + LONG_SNAPSHOTS;
                let all = workers * size + of_jobs + EXTRA_CONNECTIONS;
                assert!(all <= connections, "{connections} {cores}");
            }
        }
    }
}
