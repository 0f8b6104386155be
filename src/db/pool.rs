//! A pool of connections, by `deadpool`.
//!
//! A connection returns to the pool only after the database has answered its last statement. In
//! every other case dropping its [`Lease`] closes it, and the pool opens another when it needs one.

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use deadpool::managed::{
    self, Metrics, Object, PoolConfig, PoolError, QueueMode, RecycleError, RecycleResult,
};
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{sleep, timeout},
};

#[cfg(doc)]
use super::connection::Canceller;
use super::{
    availability::Availability,
    connection::{
        Connection, Options, is_reusable, is_stale, is_transient, is_unreachable, timed_out,
    },
    gate::Gate,
};

/// Total time to queue, connect and ping.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit of one attempt at connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum time to wait at the end for connections that are in use.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Time between two looks at the number of connections in use.
const POLL: Duration = Duration::from_millis(2);
/// A connection is pinged before use if it was idle for longer: it may have been closed.
const PING_IF_IDLE_FOR: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause before the second attempt to connect. It doubles with every further attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// Maximum age of a connection, less up to a tenth at random, so that connections opened together
/// are not replaced together. PostgreSQL frees the memory of its server process, and a load
/// balancer gets to choose again.
///
/// It is checked when a connection is about to be used. An idle connection is not used before those
/// that were used later, so it may stay open for twice as long, or for as long as no query runs.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// The most reads that run a second time at the same time, because their connection does not
/// answer. A bound for when the database as a whole is slow.
const MAX_REPEATED_READS: usize = 2;

pub(super) struct Pool {
    slots: managed::Pool<Manager>,
    size: usize,
    repeated_reads: Semaphore,
}

struct Manager {
    options: Options,
    max_lifetime: Duration,
    availability: Arc<Availability>,
    gate: Arc<Gate>,
    /// Connections that have been idle since before this time are closed, because one that was used
    /// more recently turned out to be dead.
    cleared: Mutex<Option<Instant>>,
}

/// A connection in the pool.
struct Slot {
    /// `None` while it is leased, and after that unless it was released.
    connection: Option<Connection>,
    expires: Instant,
    idle_since: Instant,
}

impl Pool {
    /// A pool of at most `size` connections. It opens them when they are needed.
    pub(super) fn new(options: Options, size: usize) -> Arc<Self> {
        Self::with_lifetime(options, size, MAX_LIFETIME, Arc::default())
    }

    /// Another pool of the same kind, for the same database.
    pub(super) fn another(&self) -> Arc<Self> {
        let Manager {
            options,
            max_lifetime,
            availability,
            ..
        } = self.slots.manager();
        let size = self.slots.status().max_size;
        Self::with_lifetime(
            options.clone(),
            size,
            *max_lifetime,
            Arc::clone(availability),
        )
    }

    fn with_lifetime(
        options: Options,
        size: usize,
        max_lifetime: Duration,
        availability: Arc<Availability>,
    ) -> Arc<Self> {
        let manager = Manager {
            options,
            max_lifetime,
            availability,
            gate: Arc::default(),
            cleared: Mutex::default(),
        };
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
            repeated_reads: Semaphore::new(MAX_REPEATED_READS),
        })
    }

    /// The maximum number of connections.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Permits a read to run a second time, as long as the permit exists. `None` if too many do.
    pub(super) fn repeated_read(&self) -> Option<SemaphorePermit<'_>> {
        self.repeated_reads.try_acquire().ok()
    }

    pub(super) fn options(&self) -> &Options {
        &self.slots.manager().options
    }

    /// Opens the first connection. It does not wait for a server that is starting.
    pub(super) async fn open(&self) -> Result<(), sqlx::Error> {
        self.get().await.map(drop)
    }

    /// Takes a connection. Waits for a server that is starting or has too many connections, unless the
    /// database is known to be away.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, DbErr> {
        self.gate().pass().await;
        let mut slot = self.patiently(|| self.get()).await?;
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

    /// Looks for the return of the database whenever it is away. Until this runs, the database never
    /// counts as away, and each request waits for it.
    pub(super) async fn probe(&self) -> Infallible {
        let manager = self.slots.manager();
        manager.availability.probe(|| manager.connect()).await
    }

    /// Closes the idle connections.
    fn clear(&self) {
        self.slots.retain(|_, _| false);
    }

    /// Makes attempts at connecting while the server is starting or has too many connections. Fails
    /// after [`ACQUIRE_TIMEOUT`], and at once while the database counts as away.
    async fn patiently<T, F, R>(&self, attempt: F) -> Result<T, DbErr>
    where
        F: Fn() -> R,
        R: Future<Output = Result<T, sqlx::Error>>,
    {
        let availability = &self.slots.manager().availability;
        if availability.is_away() {
            return Err(away());
        }
        let attempts = async {
            let mut pause = FIRST_PAUSE;
            loop {
                match attempt().await {
                    Err(error) if is_transient(&error) => {
                        sleep(pause).await;
                        pause = MAX_PAUSE.min(pause * 2);
                    }
                    outcome => {
                        return outcome
                            .map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())));
                    }
                }
            }
        };
        tokio::select! {
            biased;
            outcome = timeout(ACQUIRE_TIMEOUT, attempts) => outcome
                .unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))),
            () = availability.until_away() => Err(away()),
        }
    }

    async fn get(&self) -> Result<Object<Manager>, sqlx::Error> {
        self.slots.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            _ => sqlx::Error::PoolClosed,
        })
    }
}

impl managed::Manager for Manager {
    type Type = Slot;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Slot, sqlx::Error> {
        // Boxed, because the future of connecting is large and every lease would contain it.
        let connection = Box::pin(self.connect()).await?;
        Ok(Slot {
            connection: Some(connection),
            expires: self.expiry(),
            idle_since: Instant::now(),
        })
    }

    /// Checks a connection before it is used again. Without an error the usual case makes no round
    /// trip.
    async fn recycle(&self, slot: &mut Slot, _: &Metrics) -> RecycleResult<sqlx::Error> {
        let now = Instant::now();
        let is_outdated = now >= slot.expires || self.was_cleared_after(slot.idle_since);
        let Some(connection) = slot.connection.as_mut().filter(|_| !is_outdated) else {
            return Err(RecycleError::message("closed or outdated"));
        };
        if now.duration_since(slot.idle_since) > PING_IF_IDLE_FOR {
            let pinged = timeout(PING_TIMEOUT, Box::pin(connection.ping())).await;
            if !matches!(pinged, Ok(Ok(()))) {
                self.clear();
                return Err(RecycleError::message("dead"));
            }
        }
        Ok(())
    }
}

impl Manager {
    async fn connect(&self) -> Result<Connection, sqlx::Error> {
        let begun = Instant::now();
        let outcome = timeout(CONNECT_TIMEOUT, self.options.connect(&self.gate)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(timed_out()));
        match &outcome {
            Err(error) if is_unreachable(error) => self.availability.failed(begun, error),
            _ => self.availability.answered(),
        }
        outcome
    }

    fn expiry(&self) -> Instant {
        Instant::now() + self.max_lifetime.mul_f64(rand::random_range(0.9..=1.0))
    }

    fn was_cleared_after(&self, time: Instant) -> bool {
        let cleared = self.cleared.lock().unwrap_or_else(PoisonError::into_inner);
        cleared.is_some_and(|cleared| time < cleared)
    }

    /// Closes the connections that are idle now, before their next use.
    fn clear(&self) {
        let mut cleared = self.cleared.lock().unwrap_or_else(PoisonError::into_inner);
        *cleared = Some(Instant::now());
    }
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
        let renewed = self.pool.patiently(|| Box::pin(manager.connect()));
        self.connection = renewed.await?;
        self.slot.expires = manager.expiry();
        self.reused = false;
        Ok(())
    }

    /// Returns the connection to the pool after a statement outside a transaction, or after the end
    /// of a transaction. Closes it if `error` shows that it cannot be used again, and with it the
    /// idle ones if it turned out to be dead. Closes it after a [`Canceller`] was used.
    pub(super) fn release(mut self, error: Option<&sqlx::Error>) {
        if self.connection.is_cancelled() {
            return;
        }
        if error.is_none_or(is_reusable) {
            self.slot.idle_since = Instant::now();
            self.slot.connection = Some(self.connection);
        } else if error.is_some_and(is_stale) {
            self.pool.clear();
        }
    }
}

fn away() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(
        "the database cannot be reached".to_owned(),
    ))
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
        let pool = Pool::with_lifetime(
            Options::Sqlite(options.into()),
            1,
            max_lifetime,
            Arc::default(),
        );
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

    #[tokio::test]
    async fn a_connection_is_reused_until_it_expires() {
        assert_eq!(tables_after_reuse(MAX_LIFETIME).await, 1);
        assert_eq!(tables_after_reuse(Duration::ZERO).await, 0);
    }
}
