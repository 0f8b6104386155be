//! Shares of a pool's connections. Lists leave a connection to single rows, and expensive lists leave
//! some to other lists.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnAcquireErr, DbBackend, DbErr, RuntimeErr};
use tokio::{sync::Semaphore, time::Instant};

use super::{
    ACQUIRE_TIMEOUT, LONG_SNAPSHOTS,
    held::{drop_after_statement, outlives_client},
};
use crate::queue::{Place, Queue};

/// Time limit of the statements of an expensive list together.
const EXPENSIVE_LIMIT: Duration = Duration::from_secs(2);
/// Maximum time to wait for the place of an expensive list. Longer than the two lists that one caller
/// can have in progress hold it one after the other, for [`EXPENSIVE_LIMIT`] and
/// [`CLIENT_CHECK`](super::CLIENT_CHECK) each, so that these alone never cause a refusal.
const EXPENSIVE_WAIT: Duration = Duration::from_secs(7);
/// Maximum number of expensive lists that wait. Most take some milliseconds, so a burst of them is served.
const MAX_WAITING: usize = 256;
/// Minimum number of readers of SQLite.
const MIN_READERS: usize = 6;

/// The places of one pool.
#[derive(Debug)]
pub(super) struct Places {
    backend: DbBackend,
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
        let lists = |readers: usize| {
            let places = readers.saturating_sub(1);
            Queue::new(places, Semaphore::MAX_PERMITS, ACQUIRE_TIMEOUT)
        };
        Self {
            backend,
            lists: (backend == DbBackend::Sqlite).then(|| lists(readers)),
            expensive: Queue::new(readers / 2, MAX_WAITING, EXPENSIVE_WAIT),
        }
    }

    /// Waits for the place of a statement of a list; `None` if it needs none.
    ///
    /// # Errors
    /// [`none_free`].
    pub(super) async fn take_list(&self) -> Result<Option<Place>, DbErr> {
        match &self.lists {
            Some(lists) => lists.enter().await.map(Some).ok_or_else(none_free),
            None => Ok(None),
        }
    }

    /// Waits for the places of an expensive list.
    ///
    /// # Errors
    /// [`busy`], [`none_free`].
    pub(super) async fn take_expensive(&self) -> Result<ExpensiveList, DbErr> {
        let expensive = self.expensive.enter().await.ok_or_else(busy)?;
        Ok(ExpensiveList {
            places: [Some(expensive), self.take_list().await?],
            time_left: Mutex::new(EXPENSIVE_LIMIT),
            is_running: AtomicBool::default(),
            outlives_client: outlives_client(self.backend),
        })
    }
}

/// The places of an expensive list. Dropping it frees them. If a statement was dropped before its end,
/// PostgreSQL may run it for up to [`CLIENT_CHECK`](super::CLIENT_CHECK): the places are free after
/// that time.
#[derive(Debug)]
pub(super) struct ExpensiveList {
    places: [Option<Place>; 2],
    time_left: Mutex<Duration>,
    /// True while a statement runs, and after it was dropped before its end.
    is_running: AtomicBool,
    /// True if the database runs a statement after its client has disconnected.
    outlives_client: bool,
}

impl ExpensiveList {
    /// Runs a statement of the list. `statement` gets the time that is left.
    pub(super) async fn run<R: Future>(&self, statement: impl FnOnce(Duration) -> R) -> R::Output {
        let time_left = || {
            self.time_left
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let began = Instant::now();
        self.is_running.store(true, Ordering::Relaxed);
        let limit = *time_left();
        let outcome = statement(limit).await;
        self.is_running.store(false, Ordering::Relaxed);
        *time_left() = limit.saturating_sub(began.elapsed());
        outcome
    }
}

impl Drop for ExpensiveList {
    fn drop(&mut self) {
        if self.outlives_client && self.is_running.load(Ordering::Relaxed) {
            drop_after_statement(self.places.each_mut().map(Option::take));
        }
    }
}

/// No connection was free within [`ACQUIRE_TIMEOUT`].
pub(super) fn none_free() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
}

/// No place of expensive lists was free in time.
fn busy() -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(sqlx::Error::PoolTimedOut.into()))
}

/// True if `error` is [`busy`].
pub(super) fn is_busy(error: &DbErr) -> bool {
    let DbErr::Conn(RuntimeErr::SqlxError(cause)) = error else {
        return false;
    };
    matches!(**cause, sqlx::Error::PoolTimedOut)
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        pin::pin,
    };

    use futures_util::future::poll_immediate;
    use tokio::{task::yield_now, time::advance};

    use super::*;
    use crate::db::CLIENT_CHECK;

    /// A pool with one place of expensive lists.
    fn places(backend: DbBackend) -> Places {
        Places::new(backend, 2)
    }

    async fn is_free(places: &Places) -> bool {
        poll_immediate(pin!(places.take_expensive()))
            .await
            .is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn postgresql_ends_a_dropped_statement_before_its_place_is_free() {
        for (backend, ends_later) in [(DbBackend::Postgres, true), (DbBackend::Sqlite, false)] {
            let places = places(backend);
            let list = places.take_expensive().await.unwrap();
            assert!(
                poll_immediate(pin!(list.run(|_| pending::<()>())))
                    .await
                    .is_none()
            );
            assert!(!is_free(&places).await);
            drop(list);
            assert_eq!(is_free(&places).await, !ends_later);
            // The task of the place starts its timer.
            yield_now().await;
            advance(CLIENT_CHECK).await;
            yield_now().await;
            assert!(is_free(&places).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_statements_of_a_list_share_a_place_and_a_time_limit() {
        let places = places(DbBackend::Postgres);
        let list = places.take_expensive().await.unwrap();
        let count = list.run(|limit| async move {
            advance(Duration::from_millis(1500)).await;
            limit
        });
        assert_eq!(count.await, EXPENSIVE_LIMIT);
        assert!(!is_free(&places).await);
        let left = list.run(ready).await;
        assert_eq!(left, Duration::from_millis(500));
        drop(list);
        assert!(is_free(&places).await);
    }
}
