//! A pool of connections, by `deadpool`.
//!
//! A connection returns to the pool only after the database has answered its last statement. In
//! every other case dropping its [`Lease`] closes it, and the pool opens another when it needs one.

use std::{convert::Infallible, fmt, pin::pin, sync::Arc, time::Duration};

use deadpool::managed::{self, Object, PoolConfig, PoolError, QueueMode, TimeoutType, Timeouts};
use futures_util::future::{Either, select};
use opentelemetry::trace::SpanBuilder;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep, timeout},
};

use super::{
    ACQUIRE_TIMEOUT,
    connection::{
        Canceller, Connection, Options, is_read_only, is_reusable, is_stale, is_transient,
    },
    gate::Gate,
    manager::{MAX_LIFETIME, Manager, Shared},
    places::{Places, none_free},
    running_server::RunningServer,
};
use crate::{metrics::Metrics, traces};

/// Maximum time to wait at the end for connections that are in use.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Time between two looks at the number of connections in use.
const POLL: Duration = Duration::from_millis(2);
/// Time between two attempts at cancelling a statement.
const CANCEL_AGAIN: Duration = Duration::from_secs(1);
/// Time for which attempts at connecting are repeated while the server refuses them. A request that
/// needs several connections, one after the other, waits for each of them.
const MAX_REFUSED: Duration = Duration::from_secs(1);
/// Pause before the second attempt to connect. It doubles with every further attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_millis(200);
/// One read runs a second time for each such number of connections, because its own connection does
/// not answer: a bound for when the database as a whole is slow.
const CONNECTIONS_PER_REPEATED_READ: usize = 4;
/// Takes a connection only if one is free or may be opened.
const WITHOUT_WAITING: Timeouts = Timeouts {
    wait: Some(Duration::ZERO),
    create: None,
    recycle: None,
};

pub(super) struct Pool {
    slots: managed::Pool<Manager>,
    size: usize,
    /// The places of lists.
    pub(super) places: Places,
    repeated_reads: Semaphore,
}

impl Pool {
    /// A pool of at most `size` connections. It opens them when they are needed.
    pub(super) fn new(options: Options, size: usize) -> Arc<Self> {
        Self::with_lifetime(options, size, MAX_LIFETIME)
    }

    /// A pool of at most `size` connections to `server` only.
    pub(super) fn to(options: Options, size: usize, server: &Arc<RunningServer>) -> Arc<Self> {
        let shared = Shared {
            only: Some(Arc::clone(server)),
            ..Shared::default()
        };
        Self::of(Manager::new(options, MAX_LIFETIME, shared.into()), size)
    }

    /// Another pool for the same database, of at most `size` connections.
    pub(super) fn another(&self, size: usize) -> Arc<Self> {
        Self::of(self.slots.manager().another(), size)
    }

    fn with_lifetime(options: Options, size: usize, max_lifetime: Duration) -> Arc<Self> {
        let shared = Arc::<Shared>::default();
        Self::of(Manager::new(options, max_lifetime, shared), size)
    }

    fn of(manager: Manager, size: usize) -> Arc<Self> {
        let places = Places::new(manager.options.backend(), size);
        let config = PoolConfig {
            // The connection used last is used next, so that a low load keeps few of them busy.
            queue_mode: QueueMode::Lifo,
            ..PoolConfig::new(size)
        };
        let slots = managed::Pool::builder(manager).config(config).build();
        #[expect(
            clippy::expect_used,
            reason = "fails only if deadpool's own time-outs are used"
        )]
        let slots = slots.expect("deadpool needs no runtime");
        Arc::new(Self {
            slots,
            size,
            places,
            repeated_reads: Semaphore::new(size.div_ceil(CONNECTIONS_PER_REPEATED_READ)),
        })
    }

    /// The maximum number of connections.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// What shared queries count; `None` if metrics are off.
    pub(super) fn metrics(&self) -> Option<&Metrics> {
        self.shared().metrics.get().map(AsRef::as_ref)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.slots.manager().shared
    }

    pub(super) fn status(&self) -> managed::Status {
        self.slots.status()
    }

    pub(super) fn options(&self) -> &Options {
        &self.slots.manager().options
    }

    /// Opens the first connection. It does not wait for a server that is starting.
    pub(super) async fn open(&self) -> Result<(), sqlx::Error> {
        self.get().await.map(drop)
    }

    /// Takes a connection: a free one, or a new one, or waits for one. Fails after
    /// [`ACQUIRE_TIMEOUT`]. While the database counts as unreachable, fails at once if none is free.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, DbErr> {
        self.gate().pass().await;
        let slot = retry(|| self.get()).await?;
        self.lease_of(slot)
    }

    /// Takes a connection for a read that runs a second time, until the permit is dropped. `None` if
    /// all connections are in use, or if enough reads run a second time.
    pub(super) async fn spare(
        self: &Arc<Self>,
    ) -> Result<Option<(Lease, SemaphorePermit<'_>)>, DbErr> {
        let Ok(permit) = self.repeated_reads.try_acquire() else {
            return Ok(None);
        };
        let slot = self.try_get().await.map_err(connection_error)?;
        let lease = slot.map(|slot| self.lease_of(slot)).transpose()?;
        Ok(lease.map(|lease| (lease, permit)))
    }

    fn lease_of(self: &Arc<Self>, mut slot: Object<Manager>) -> Result<Lease, DbErr> {
        let connection = slot.connection.take().ok_or_else(closed)?;
        Ok(Lease {
            connection,
            reused: Object::metrics(&slot).recycle_count > 0,
            pool: Arc::clone(self),
            slot,
        })
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.slots.manager().gate
    }

    /// Waits until no connection is in use.
    pub(super) async fn until_idle(&self) {
        loop {
            let status = self.slots.status();
            if status.size <= status.available {
                return;
            }
            sleep(POLL).await;
        }
    }

    /// Closes the connections. Those that are still in use after a second close when they are dropped.
    pub(super) async fn close(&self) {
        let _ = timeout(CLOSE_TIMEOUT, self.until_idle()).await;
        for slot in self.slots.retain(|_, _| false).removed {
            if let Some(connection) = slot.connection {
                connection.close().await;
            }
        }
    }

    /// Looks for the return of the database whenever it is unreachable. Until this runs, the database
    /// never counts as unreachable, and each request waits for it.
    pub(super) async fn probe(&self) -> Infallible {
        let manager = self.slots.manager();
        let Shared {
            availability,
            extra_connections,
            ..
        } = manager.shared.as_ref();
        let attempt = || async {
            let _permit = extra_connections.acquire().await;
            if let Ok(connection) = manager.attempt().await {
                connection.close().await;
            }
        };
        availability.probe(attempt).await
    }

    /// Runs `work`, and cancels its statements, on the connection of `canceller`, if it takes longer
    /// than `limit`. A cancellation that comes between two statements has no effect, so it is repeated.
    pub(super) async fn limit<T>(
        &self,
        canceller: &Canceller,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> T {
        let Manager {
            options, shared, ..
        } = self.slots.manager();
        let mut work = pin!(work);
        let mut wait = limit;
        loop {
            if let Ok(outcome) = timeout(wait, &mut work).await {
                return outcome;
            }
            let cancel = canceller.cancel(options, &shared.extra_connections);
            if let Either::Left((outcome, _)) = select(&mut work, pin!(cancel)).await {
                return outcome;
            }
            wait = CANCEL_AGAIN;
        }
    }

    /// Closes the idle connections.
    fn clear(&self) {
        self.slots.retain(|_, _| false);
    }

    async fn get(&self) -> Result<Object<Manager>, sqlx::Error> {
        if let Some(slot) = self.try_get().await? {
            return Ok(slot);
        }
        let _span = traces::child(|| SpanBuilder::from_name("wait for a connection"));
        let wait = async { self.slots.get().await.map_err(pool_error) };
        let availability = &self.slots.manager().shared.availability;
        availability.while_reachable(wait).await
    }

    /// `None` if all connections are in use.
    async fn try_get(&self) -> Result<Option<Object<Manager>>, sqlx::Error> {
        match self.slots.timeout_get(&WITHOUT_WAITING).await {
            Err(PoolError::Timeout(TimeoutType::Wait)) => Ok(None),
            slot => slot.map(Some).map_err(pool_error),
        }
    }
}

/// Repeats `attempt` while the server is starting or has too many connections, for [`MAX_REFUSED`].
/// Fails after [`ACQUIRE_TIMEOUT`].
async fn retry<T, F, R>(attempt: F) -> Result<T, DbErr>
where
    F: Fn() -> R,
    R: Future<Output = Result<T, sqlx::Error>>,
{
    let began = Instant::now();
    let attempts = async {
        let mut pause = FIRST_PAUSE;
        loop {
            match attempt().await {
                Err(error) if is_transient(&error) && began.elapsed() < MAX_REFUSED => {
                    sleep(pause).await;
                    pause = MAX_PAUSE.min(pause * 2);
                }
                outcome => return outcome.map_err(connection_error),
            }
        }
    };
    timeout(ACQUIRE_TIMEOUT, attempts)
        .await
        .unwrap_or_else(|_| Err(none_free()))
}

fn pool_error(error: PoolError<sqlx::Error>) -> sqlx::Error {
    match error {
        PoolError::Backend(error) => error,
        _ => sqlx::Error::PoolClosed,
    }
}

fn connection_error(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold the password.
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// A connection in use. If it is dropped without [`release`](Self::release), as when a request is
/// cancelled during a statement, it is closed, and its place in the pool is free.
pub(super) struct Lease {
    pub(super) connection: Connection,
    /// True if the connection was used before and may have died since.
    pub(super) reused: bool,
    pool: Arc<Pool>,
    slot: Object<Manager>,
}

impl Lease {
    /// Replaces a dead connection with a new one.
    pub(super) async fn renew(&mut self) -> Result<(), DbErr> {
        let manager = self.pool.slots.manager();
        self.pool.clear();
        self.slot.changes = manager.changes();
        self.connection = retry(|| Box::pin(manager.connect())).await?;
        self.slot.expires = manager.expiry();
        self.reused = false;
        Ok(())
    }

    /// Returns the connection to the pool after a statement outside a transaction, or after the end
    /// of a transaction. Closes it if `error` shows that it cannot be used again, and with it the
    /// idle ones if it turned out to be dead, or its server to be a standby. Closes it after a [`Canceller`] was used.
    pub(super) fn release(mut self, error: Option<&sqlx::Error>) {
        if self.connection.is_cancelled() {
            return;
        }
        if error.is_none_or(is_reusable) {
            self.connection.limit_statements(None);
            self.slot.idle_since = Instant::now();
            self.slot.connection = Some(self.connection);
        } else if error.is_some_and(|error| is_stale(error) || is_read_only(error)) {
            self.pool.clear();
        }
    }
}

/// The error of a statement on a connection that is closed.
pub(super) fn closed() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens an in-memory database, leaves a table in it, and counts its tables with the next lease.
    async fn tables_after_reuse(max_lifetime: Duration) -> usize {
        let options = sqlx::sqlite::SqliteConnectOptions::new().in_memory(true);
        let pool = Pool::with_lifetime(Options::Sqlite(options.into()), 1, max_lifetime);
        let mut lease = pool.lease().await.unwrap();
        let create = "CREATE TABLE mark (id integer)";
        lease.connection.execute_simple(create).await.unwrap();
        lease.release(None);
        let mut lease = pool.lease().await.unwrap();
        let statement = sea_orm::Statement::from_string(
            sea_orm::DbBackend::Sqlite,
            "SELECT 1 FROM sqlite_master",
        );
        lease.connection.rows(&statement).await.unwrap().len()
    }

    /// FTS5 runs few instructions of SQLite's virtual machine for each page of its index.
    #[tokio::test]
    async fn a_cancelled_search_for_a_prefix_ends() {
        let options = sqlx::sqlite::SqliteConnectOptions::new().in_memory(true);
        let pool = Pool::new(Options::Sqlite(options.into()), 1);
        let mut lease = pool.lease().await.unwrap();
        for sql in [
            "CREATE VIRTUAL TABLE words USING fts5(word, detail = 'none')",
            "INSERT INTO words (words, rank) VALUES ('pgsz', 64)",
            "INSERT INTO words (word)
             WITH RECURSIVE numbers (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
             SELECT 'word' || n FROM numbers",
        ] {
            lease.connection.execute_simple(sql).await.unwrap();
        }
        let search = sea_orm::Statement::from_string(
            sea_orm::DbBackend::Sqlite,
            "SELECT rowid FROM words WHERE words MATCH 'word*' ORDER BY rowid DESC LIMIT 1",
        );
        assert_eq!(lease.connection.rows(&search).await.unwrap().len(), 1);
        let canceller = lease.connection.canceller().unwrap();
        canceller.cancel(pool.options(), &Semaphore::new(1)).await;
        lease.connection.rows(&search).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_connection_is_reused_until_it_expires() {
        assert_eq!(tables_after_reuse(MAX_LIFETIME).await, 1);
        assert_eq!(tables_after_reuse(Duration::ZERO).await, 0);
    }
}
