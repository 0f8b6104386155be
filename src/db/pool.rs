//! A pool of connections.
//!
//! A connection returns to the pool only after the database has answered its last statement. In
//! every other case dropping its [`Lease`] closes it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use super::connection::{Connection, Options, is_reusable, is_transient};

/// Total time to queue, connect and ping.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection is pinged before use if it was idle for longer: it may have been closed.
const PING_IF_IDLE_FOR: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause before the second attempt to connect. It doubles with every further attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// Maximum age of a connection, less up to a tenth at random, so that connections opened together
/// are not replaced together. PostgreSQL frees the memory of its server process, and a load
/// balancer gets to choose again.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

pub(super) struct Pool {
    pub(super) options: Options,
    max_lifetime: Duration,
    /// The connection used last is on top, so that a low load keeps few of them busy.
    idle: Mutex<Vec<Idle>>,
    permits: Arc<Semaphore>,
}

struct Idle {
    connection: Connection,
    expires: Instant,
    since: Instant,
}

impl Pool {
    /// A pool of at most `size` connections. It opens them when they are needed.
    pub(super) fn new(options: Options, size: usize) -> Arc<Self> {
        Self::with_lifetime(options, size, MAX_LIFETIME)
    }

    fn with_lifetime(options: Options, size: usize, max_lifetime: Duration) -> Arc<Self> {
        Arc::new(Self {
            options,
            max_lifetime,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(size)),
        })
    }

    /// Opens the first connection.
    pub(super) async fn open(&self) -> Result<(), sqlx::Error> {
        let connection = self.options.connect().await?;
        self.push(connection, self.expiry());
        Ok(())
    }

    /// Takes a connection.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, DbErr> {
        // The usual case needs no timer.
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned()
            && let Some(idle) = self.pop_fresh()
        {
            return Ok(self.lease_of(idle.connection, idle.expires, permit, true));
        }
        self.within_timeout(async {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let permit = permit.map_err(|_| closed())?;
            if let Some(idle) = self.pop_tested().await {
                return Ok(self.lease_of(idle.connection, idle.expires, permit, true));
            }
            let connection = self.connect().await?;
            Ok(self.lease_of(connection, self.expiry(), permit, false))
        })
        .await
    }

    /// An idle connection that needs no ping.
    fn pop_fresh(&self) -> Option<Idle> {
        let mut all = self.idle();
        let fresh = |idle: &mut Idle| !idle.has_expired() && !idle.needs_ping();
        all.pop_if(fresh)
    }

    async fn pop_tested(&self) -> Option<Idle> {
        let mut idle = self.idle().pop()?;
        if idle.has_expired() {
            return None;
        }
        if idle.needs_ping() {
            let pinged = timeout(PING_TIMEOUT, idle.connection.ping()).await;
            if !matches!(pinged, Ok(Ok(()))) {
                self.clear();
                return None;
            }
        }
        Some(idle)
    }

    /// Connects. Waits for a server that is starting or has too many connections.
    async fn connect(&self) -> Result<Connection, DbErr> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.options.connect().await {
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
    }

    async fn within_timeout<T>(
        &self,
        work: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        timeout(ACQUIRE_TIMEOUT, work)
            .await
            .unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)))
    }

    fn lease_of(
        self: &Arc<Self>,
        connection: Connection,
        expires: Instant,
        permit: OwnedSemaphorePermit,
        reused: bool,
    ) -> Lease {
        Lease {
            connection,
            reused,
            expires,
            pool: Arc::clone(self),
            permit,
        }
    }

    fn expiry(&self) -> Instant {
        Instant::now() + self.max_lifetime.mul_f64(rand::random_range(0.9..=1.0))
    }

    fn push(&self, connection: Connection, expires: Instant) {
        self.idle().push(Idle {
            connection,
            expires,
            since: Instant::now(),
        });
    }

    /// Closes the idle connections, because one that was used more recently turned out to be dead.
    fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn has_expired(&self) -> bool {
        Instant::now() >= self.expires
    }

    fn needs_ping(&self) -> bool {
        self.since.elapsed() > PING_IF_IDLE_FOR
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold the password.
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// A connection in use. If it is dropped without [`release`](Self::release), as when a request is
/// cancelled during a statement, it is closed and its permit returns to the pool.
pub(super) struct Lease {
    pub(super) connection: Connection,
    /// True if the connection was used before and may have died since.
    pub(super) reused: bool,
    expires: Instant,
    pool: Arc<Pool>,
    permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Replaces a dead connection with a new one.
    pub(super) async fn renew(&mut self) -> Result<(), DbErr> {
        self.pool.clear();
        self.connection = self.pool.within_timeout(self.pool.connect()).await?;
        self.expires = self.pool.expiry();
        self.reused = false;
        Ok(())
    }

    /// Returns the connection to the pool after a statement outside a transaction, or after the end
    /// of a transaction. Closes it if it has expired or `error` shows that it cannot be used again.
    pub(super) fn release(self, error: Option<&sqlx::Error>) {
        if error.is_none_or(is_reusable) && Instant::now() < self.expires {
            // Before the permit, so that the next holder of the permit finds the connection.
            self.pool.push(self.connection, self.expires);
            drop(self.permit);
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

    #[tokio::test]
    async fn a_connection_is_reused_until_it_expires() {
        assert_eq!(tables_after_reuse(MAX_LIFETIME).await, 1);
        assert_eq!(tables_after_reuse(Duration::ZERO).await, 0);
    }
}
