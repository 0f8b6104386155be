//! A stack of connections, with a bound on how many there are.
//!
//! A connection comes back to it only after the database has answered its last question: whatever
//! else becomes of a [`Lease`] closes the connection.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use super::connection::{Connection, Options, may_pass, survives};

/// How long a request waits for a connection before it is told that the database is away: for its
/// turn, for connecting and for a test together.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that was idle for longer is tried before it is used: it may be dead.
const TEST_IF_IDLE_FOR: Duration = Duration::from_secs(1);
/// How long it may take to answer then.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait before the first other try to connect; twice as long before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Pool {
    pub(super) options: Options,
    /// The last one used is on top, so that few are kept busy when few are needed.
    idle: Mutex<Vec<Idle>>,
    places: Arc<Semaphore>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// Of `places` connections at most, none of which is there yet.
    pub(super) fn new(options: Options, places: usize) -> Arc<Self> {
        Arc::new(Self {
            options,
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
        })
    }

    /// Connects, and keeps the connection.
    pub(super) async fn open(&self) -> Result<(), sqlx::Error> {
        let connection = self.options.connect().await?;
        self.push(Idle {
            connection,
            since: Instant::now(),
        });
        Ok(())
    }

    /// A connection for one use.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, DbErr> {
        // No timer in the usual case.
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned()
            && let Some(idle) = self.pop()
        {
            if idle.since.elapsed() <= TEST_IF_IDLE_FOR {
                return Ok(self.leased(idle.connection, place, true));
            }
            self.push(idle);
        }
        self.in_time(async {
            let place = Arc::clone(&self.places).acquire_owned().await;
            let place = place.map_err(|_| closed())?;
            if let Some(connection) = self.tested().await {
                return Ok(self.leased(connection, place, true));
            }
            Ok(self.leased(self.connect().await?, place, false))
        })
        .await
    }

    async fn tested(&self) -> Option<Connection> {
        let mut idle = self.pop()?;
        if idle.since.elapsed() > TEST_IF_IDLE_FOR
            && !matches!(
                timeout(PING_TIMEOUT, idle.connection.ping()).await,
                Ok(Ok(()))
            )
        {
            self.forget();
            return None;
        }
        Some(idle.connection)
    }

    /// As long as there is reason to hope.
    async fn connect(&self) -> Result<Connection, DbErr> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.options.connect().await {
                Err(error) if may_pass(&error) => {
                    sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
                outcome => {
                    return outcome
                        .map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())));
                }
            }
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        timeout(ACQUIRE_TIMEOUT, work)
            .await
            .unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)))
    }

    fn leased(
        self: &Arc<Self>,
        connection: Connection,
        place: OwnedSemaphorePermit,
        reused: bool,
    ) -> Lease {
        Lease {
            connection,
            reused,
            pool: Arc::clone(self),
            place,
        }
    }

    fn pop(&self) -> Option<Idle> {
        self.idle().pop()
    }

    fn push(&self, idle: Idle) {
        self.idle().push(idle);
    }

    /// Closes what is idle: a connection used more recently turned out dead.
    fn forget(&self) {
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold the password.
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// A connection in use. Dropped without being given back, as when a request is cancelled in the
/// middle of a statement, it is closed, and its place is free.
pub(super) struct Lease {
    pub(super) connection: Connection,
    /// Whether it was used before, and may have died since.
    pub(super) reused: bool,
    pool: Arc<Pool>,
    place: OwnedSemaphorePermit,
}

impl Lease {
    /// Puts a new connection into the place of one that was found dead.
    pub(super) async fn renew(&mut self) -> Result<(), DbErr> {
        self.pool.forget();
        self.connection = self.pool.in_time(self.pool.connect()).await?;
        self.reused = false;
        Ok(())
    }

    /// Gives the connection back after a statement that belongs to no transaction, if it is sound.
    pub(super) fn end<T>(self, outcome: &Result<T, sqlx::Error>) {
        if outcome.as_ref().err().is_none_or(survives) {
            let idle = Idle {
                connection: self.connection,
                since: Instant::now(),
            };
            // Before the place, so that who gets the place finds it.
            self.pool.push(idle);
            drop(self.place);
        }
    }
}

/// What one gets who asks a connection that is no more.
pub(super) fn closed() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)
}
