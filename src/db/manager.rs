//! Opens and checks the connections of a pool.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, timeout},
};

use super::{
    availability::Availability,
    connection::{CONNECT_TIMEOUT, Connection, Options, is_unreachable},
    gate::Gate,
    running_server::RunningServer,
    sizes::EXTRA_CONNECTIONS,
    statement::timed_out,
};
use crate::metrics;

/// A connection is pinged before use if it was idle for longer: it may have been closed.
const PING_IF_IDLE_FOR: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum age of a connection, less up to a tenth at random, so that connections opened together
/// are not replaced together. PostgreSQL frees the memory of its server process, and a load
/// balancer gets to choose again.
///
/// It is checked when a connection is about to be used. An idle connection is not used before those
/// that were used later, so it may stay open for twice as long, or for as long as no query runs.
pub(super) const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// The state of the database for all pools of the process.
pub(super) struct Shared {
    pub availability: Arc<Availability>,
    /// Permits a connection outside the pools, for a probe or a cancellation.
    pub extra_connections: Semaphore,
    /// What shared queries count; unset if metrics are off.
    pub metrics: OnceLock<Arc<metrics::Metrics>>,
    /// Notified after each commit of a write.
    pub commits: Notify,
    /// Connections to another server are refused, if this is set.
    pub only: Option<Arc<RunningServer>>,
}

pub(super) struct Manager {
    pub options: Options,
    pub shared: Arc<Shared>,
    pub gate: Arc<Gate>,
    max_lifetime: Duration,
    /// Connections that have been idle since before this time are closed, because one that was used
    /// more recently turned out to be dead.
    cleared: Mutex<Option<Instant>>,
}

/// A connection in the pool.
pub(super) struct Slot {
    /// `None` while it is leased, and after that unless it was released.
    pub connection: Option<Connection>,
    /// The [changes](RunningServer::changes) of the only server before it was opened.
    pub changes: u64,
    pub expires: Instant,
    pub idle_since: Instant,
}

impl managed::Manager for Manager {
    type Type = Slot;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Slot, sqlx::Error> {
        let changes = self.changes();
        // Boxed, because the future of connecting is large and every lease would contain it.
        let connection = Box::pin(self.connect()).await?;
        Ok(Slot {
            connection: Some(connection),
            changes,
            expires: self.expiry(),
            idle_since: Instant::now(),
        })
    }

    /// Checks a connection before it is used again. Without an error the usual case makes no round
    /// trip.
    async fn recycle(&self, slot: &mut Slot, _: &Metrics) -> RecycleResult<sqlx::Error> {
        let now = Instant::now();
        let is_outdated = now >= slot.expires
            || self.was_cleared_after(slot.idle_since)
            || slot.changes != self.changes();
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
    pub(super) fn new(options: Options, max_lifetime: Duration, shared: Arc<Shared>) -> Self {
        Self {
            options,
            shared,
            gate: Arc::default(),
            max_lifetime,
            cleared: Mutex::default(),
        }
    }

    /// The same for another pool.
    pub(super) fn another(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Self::new(self.options.clone(), self.max_lifetime, shared)
    }

    /// Connects. Fails at once while the database counts as unreachable.
    pub(super) async fn connect(&self) -> Result<Connection, sqlx::Error> {
        let attempt = self.attempt();
        self.shared.availability.while_reachable(attempt).await
    }

    /// Attempts to connect, even while the database counts as unreachable, and notes the outcome.
    pub(super) async fn attempt(&self) -> Result<Connection, sqlx::Error> {
        let begun = Instant::now();
        let connect = async {
            let connect = self.options.connect(&self.gate, &self.shared.availability);
            let mut connection = connect.await?;
            if let Some(server) = &self.shared.only {
                server.check(&mut connection).await?;
            }
            Ok(connection)
        };
        let outcome = timeout(CONNECT_TIMEOUT, connect).await;
        let outcome = outcome.unwrap_or_else(|_| Err(timed_out()));
        match &outcome {
            Err(error) if is_unreachable(error) => self.shared.availability.failed(begun, error),
            _ => self.shared.availability.answered(),
        }
        outcome
    }

    /// 0 if the pool may use any server.
    pub(super) fn changes(&self) -> u64 {
        let only = self.shared.only.as_ref();
        only.map_or(0, |server| server.changes())
    }

    pub(super) fn expiry(&self) -> Instant {
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

impl Default for Shared {
    fn default() -> Self {
        Self {
            availability: Arc::default(),
            extra_connections: Semaphore::new(EXTRA_CONNECTIONS),
            metrics: OnceLock::new(),
            commits: Notify::new(),
            only: None,
        }
    }
}
