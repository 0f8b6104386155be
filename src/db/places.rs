//! Shares of a pool's connections. Lists leave a connection to single rows, and expensive lists leave
//! some to other lists.

use std::time::Duration;

use sea_orm::{DbBackend, DbErr, RuntimeErr};

use super::LONG_SNAPSHOTS;
use crate::queue::{Place, Queue};

/// Time limit of a statement of an expensive list.
pub(super) const EXPENSIVE_LIMIT: Duration = Duration::from_secs(2);
/// Maximum time to wait for the place of an expensive list. Shorter than its statement may take, so
/// that a queue behind slow ones does not grow.
const EXPENSIVE_PATIENCE: Duration = Duration::from_secs(1);
/// Maximum number of expensive lists that wait. Most take some milliseconds, so a burst of them is served.
const MAX_WAITING: usize = 256;
/// Maximum time for which another list waits, as for a connection.
const LIST_PATIENCE: Duration = Duration::from_secs(5);
/// Minimum number of readers of SQLite.
const MIN_READERS: usize = 6;

/// What a statement reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Single rows.
    Row,
    /// A page of a list, in about the time of a single row.
    List,
    /// A list that may take much longer.
    ExpensiveList,
}

/// The places of one pool.
#[derive(Debug)]
pub(super) struct Places {
    /// All lists; `None` if they may use every connection.
    lists: Option<Queue>,
    expensive: Queue,
}

/// The connections of SQLite's pool for reading, on a machine with this number of cores.
pub(super) fn sqlite_readers(cores: usize) -> usize {
    cores.max(MIN_READERS) + LONG_SNAPSHOTS
}

impl Places {
    /// For a pool of `size` connections to `backend`.
    pub(super) fn new(backend: DbBackend, size: usize) -> Self {
        let readers = match backend {
            DbBackend::Sqlite => size.saturating_sub(LONG_SNAPSHOTS),
            _ => size,
        };
        let lists =
            |readers: usize| Queue::new(readers.saturating_sub(1), usize::MAX >> 3, LIST_PATIENCE);
        Self {
            lists: (backend == DbBackend::Sqlite).then(|| lists(readers)),
            expensive: Queue::new(readers / 2, MAX_WAITING, EXPENSIVE_PATIENCE),
        }
    }

    /// Waits for the places of a statement.
    ///
    /// # Errors
    /// [`busy`].
    pub(super) async fn take(&self, kind: Kind) -> Result<[Option<Place>; 2], DbErr> {
        let expensive = match kind {
            Kind::ExpensiveList => Some(self.expensive.enter().await.ok_or_else(busy)?),
            Kind::Row | Kind::List => None,
        };
        let list = match (&self.lists, kind) {
            (Some(lists), Kind::List | Kind::ExpensiveList) => {
                Some(lists.enter().await.ok_or_else(busy)?)
            }
            _ => None,
        };
        Ok([expensive, list])
    }
}

/// No place was free in time.
fn busy() -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(sqlx::Error::PoolTimedOut.into()))
}

/// True if `error` is that of [`Places::take`].
pub(super) fn is_busy(error: &DbErr) -> bool {
    let DbErr::Conn(RuntimeErr::SqlxError(cause)) = error else {
        return false;
    };
    matches!(**cause, sqlx::Error::PoolTimedOut)
}
