//! Reads on replicas of PostgreSQL.
//!
//! A read that tolerates an old state asks a replica. Writers read their own writes: a read asks only a
//! replica that has replayed the log up to the position of the write, waits up to 200 ms for one, and asks
//! the primary otherwise.

mod monitor;
mod position;
mod replica;
mod samples;
mod statistics;
mod watch;
mod writers;

use std::{
    fmt,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::{Either, select};
use migration::Database;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use tokio::time::timeout;

use self::{
    monitor::{Fallback, Monitor},
    replica::Replica,
};
use super::{
    Autocommit, Db, Found, SharedRead, by_type::ByType, connection::Options, pool::Pool,
    statistics::WorkerPools,
};
use crate::{config::ReplicaSettings, error::Error};
pub use position::Position;
pub use statistics::{ReplicaState, ReplicaStatistics};

/// Time limit for the position of a write, which is committed already.
const POSITION_LIMIT: Duration = Duration::from_secs(1);

/// The replicas, as one worker uses them. Clones share everything.
#[derive(Clone)]
pub(super) struct Replicas {
    monitor: Arc<Monitor>,
    /// For each replica the database as this worker uses it: reads ask the replica, and writes the primary.
    /// Empty for the jobs.
    databases: Arc<[Db]>,
    /// The pools of all workers, for metrics.
    pub(super) worker_pools: WorkerPools,
}

/// The caller of a read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader {
    /// Its id, if it can write.
    pub id: Option<i64>,
    /// The position that the read must show.
    pub position: Option<Position>,
}

impl Db {
    /// The same database with `replicas` for reads. A replica that cannot be reached is no error.
    #[must_use]
    pub fn with_replicas(mut self, replicas: &[ReplicaSettings]) -> Self {
        let replicas = replicas
            .iter()
            .filter_map(|replica| match &replica.database {
                Database::Postgres(servers) => {
                    let pool = Pool::new(Options::Postgres(servers.clone()), 1);
                    Some(Replica::new(servers.to_string(), replica.weight, pool))
                }
                Database::Sqlite(_) => None,
            });
        let replicas: Vec<_> = replicas.collect();
        self.replicas = (!replicas.is_empty()).then(|| Replicas {
            monitor: Arc::new(Monitor::new(replicas)),
            databases: Arc::default(),
            worker_pools: WorkerPools::default(),
        });
        self
    }

    /// True if replicas answer reads.
    #[must_use]
    pub fn has_replicas(&self) -> bool {
        self.replicas.is_some()
    }

    /// Keeps the rotation of the replicas right. Until this runs, the primary answers all reads. Does not end
    /// if there are replicas.
    pub async fn watch_replicas(&self) {
        if let Some(replicas) = &self.replicas {
            replicas.monitor.run(&self.reader).await;
        }
    }

    /// Looks at each replica until it belongs into the rotation, or for some seconds. Returns its host and port,
    /// and the greatest age of its state or the reason for which it does not belong there.
    pub async fn check_replicas(&self) -> Vec<(String, Result<Duration, String>)> {
        match &self.replicas {
            Some(replicas) => replicas.monitor.check_all(&self.reader).await,
            None => Vec::new(),
        }
    }

    /// Runs `read`, which tolerates a state that is some seconds old, on a replica or on the primary. The
    /// state has all writes that `reader` must see.
    ///
    /// If the replica fails, or lacks a row, `read` runs again on the primary.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn read_for<T, R>(&self, reader: Reader, read: R) -> Result<T, Error>
    where
        R: AsyncFn(&Self) -> Result<T, Error>,
    {
        match &self.replicas {
            // Boxed, because every read would contain its large future.
            Some(replicas) => match Box::pin(replicas.read(reader, &read)).await {
                Ok(outcome) => outcome,
                Err(reason) => {
                    replicas.monitor.counts.count(reason);
                    read(self).await
                }
            },
            None => read(self).await,
        }
    }

    /// Takes the position of a write of `writer` that has committed, so that its next reads show the write.
    /// `None` if there are no replicas, or if the primary does not tell.
    pub async fn position_after(&self, writer: Option<i64>) -> Option<Position> {
        let replicas = self.replicas.as_ref()?;
        let position = self.shared_read::<PositionAfterCommit>((), ());
        let position = match timeout(POSITION_LIMIT, position).await {
            Ok(Ok(position)) => position,
            Ok(Err(error)) => {
                tracing::warn!(error = error.with_cause(), "a write has no position");
                None
            }
            Err(_) => None,
        };
        if let Some(writer) = writer {
            replicas.monitor.writers.note(writer, position);
        }
        position
    }

    /// Notes that `writer` may have written, so that its next reads ask the primary.
    pub fn may_have_written(&self, writer: i64) {
        if let Some(replicas) = &self.replicas {
            replicas.monitor.writers.note(writer, None);
        }
    }
}

impl Replicas {
    /// The same for a worker that uses `db`, with pools of `size` connections.
    pub(super) fn for_worker(&self, db: &Db, size: usize) -> Self {
        let replicas = self.monitor.replicas.iter();
        let databases = replicas.map(|replica| {
            let options = replica.pool.options().clone();
            let pool = Pool::to(options, size, &replica.server);
            self.worker_pools.add(&pool);
            if let Some(metrics) = db.writer.shared().metrics.get() {
                let _ = pool.shared().metrics.set(Arc::clone(metrics));
            }
            Db {
                reader: Autocommit::new(pool),
                reads: ByType::default(),
                replicas: None,
                ..db.clone()
            }
        });
        Self {
            monitor: Arc::clone(&self.monitor),
            databases: databases.collect(),
            worker_pools: self.worker_pools.clone(),
        }
    }

    /// Runs `read` on a replica.
    ///
    /// # Errors
    /// The reason for which the primary must answer.
    async fn read<T>(
        &self,
        reader: Reader,
        read: &impl AsyncFn(&Db) -> Result<T, Error>,
    ) -> Result<Result<T, Error>, Fallback> {
        let monitor = &self.monitor;
        let written = reader.id.and_then(|id| monitor.writers.position(id));
        let position = written.max(reader.position).unwrap_or_default();
        let seed = reader.id.map_or_else(rand::random, spread);
        let index = monitor.choose(position, seed).await?;
        let replica = monitor.replicas.get(index).ok_or(Fallback::NoReplica)?;
        let db = self.databases.get(index).ok_or(Fallback::NoReplica)?;
        let outcome = match select(pin!(read(db)), pin!(replica.until_away())).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => return Err(Fallback::Failed),
        };
        match outcome {
            Err(Error::NotFound { .. }) => return Err(Fallback::Missing),
            // The last one may be of a schema that the replica does not have yet.
            Err(error @ (Error::Unavailable(_) | Error::TryAgain(_) | Error::Internal(_))) => {
                let error = error.with_cause();
                tracing::debug!(replica = replica.name, error, "a replica failed");
                return Err(Fallback::Failed);
            }
            _ => {}
        }
        replica.reads.fetch_add(1, Ordering::Relaxed);
        Ok(outcome)
    }
}

/// Spreads consecutive ids over all numbers.
fn spread(id: i64) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(id)
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicas").finish_non_exhaustive()
    }
}

/// A position of the primary that no commit before the query exceeds.
struct PositionAfterCommit;

impl SharedRead for PositionAfterCommit {
    type Parameters = ();
    type Key = ();
    type Value = Position;

    async fn read(connection: Autocommit, (): (), _: Vec<()>) -> Found<(), Position> {
        // A commit waits until the log is written up to its record, unless it is asynchronous.
        let sql = "SELECT (CASE current_setting('synchronous_commit')
            WHEN 'off' THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_lsn() END)::text";
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = connection.query_one_raw(statement).await?;
        let text: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        let position = text.as_deref().and_then(Position::parse);
        let position = position.ok_or_else(|| DbErr::Type("not a position".to_owned()))?;
        Ok(vec![((), position)])
    }
}
