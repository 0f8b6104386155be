//! Access to the database: pool, transactions, batches and shared reads. Knows no resource.

mod autocommit;
mod availability;
mod batches;
mod by_type;
mod connection;
mod constraint;
mod error;
mod first;
mod free_pages;
mod gate;
mod held;
mod insert;
mod inspect;
mod manager;
mod many_rows;
mod merges;
mod mode;
mod moment;
mod octets;
mod open;
mod page;
mod places;
mod pool;
mod postgres;
mod queues;
mod replicas;
mod retry;
mod rows;
mod running_server;
mod single_flight;
mod sizes;
mod sqlite_file;
mod statement;
mod statistics;
mod subquery;
pub mod tables;
mod transaction;
mod turns;
mod values_table;
mod wal;

use std::{
    convert::Infallible,
    future::ready,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use sea_orm::DbBackend;
use tokio::time::sleep;

use crate::error::Error;
pub use autocommit::Autocommit;
pub use batches::BatchedWrite;
use batches::{Batches, LARGE, Sharing, write_alone};
use by_type::ByType;
use connection::Options;
pub use constraint::{Constraint, OnConstraint};
pub use first::First;
pub use held::Held;
pub use insert::{insert_all, insert_new};
pub use inspect::{Facts, Inspection, Postgres, Sqlite, inspect};
pub use many_rows::{Moment, many_rows};
pub use merges::Merges;
use mode::Mode;
pub use moment::comparable;
pub use octets::octets;
pub use page::{count_up_to, page, with_column};
use pool::Pool;
use replicas::Replicas;
pub use replicas::{Position, Reader, ReplicaState, ReplicaStatistics};
use retry::retry;
pub use rows::Rows;
use single_flight::SingleFlight;
pub use single_flight::{Found, SharedRead};
pub use sizes::{LONG_SNAPSHOTS, workers};
pub use sqlite_file::{Checked, Occupied, back_up, check, companion, folder, replace, sync_folder};
pub use statistics::PoolStatistics;
use statistics::WorkerPools;
pub use subquery::subquery;
pub use transaction::Transaction;
use transaction::in_transaction;
use turns::Turns;
pub use values_table::{RowFilter, ValuesTable};
pub use wal::WriteAheadLog;

/// PostgreSQL cancels a statement after this time.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// PostgreSQL cancels a statement within this time after its client disconnects.
const CLIENT_CHECK: Duration = Duration::from_secs(1);
/// Total time to wait for a connection, connect and ping.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that an SQLite connection waits for the lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two looks at whether the write-ahead log is still full.
const LOG_PAUSE: Duration = Duration::from_millis(200);
/// The cause for the operator's log.
const FULL_LOG: &str = "it kept SQLite's write-ahead log from being emptied";

/// The database, as one worker uses it. Clones share everything.
#[derive(Clone, Debug)]
pub struct Db {
    reader: Autocommit,
    writer: Arc<Pool>,
    workers: usize,
    /// The size of the pool of each worker. For PostgreSQL.
    worker_pool: usize,
    /// The pools of all workers, for metrics. For PostgreSQL.
    worker_pools: WorkerPools,
    /// The running shared reads of the worker.
    reads: ByType,
    /// The running batches: of the worker on PostgreSQL, of all workers on SQLite.
    batches: ByType,
    /// `None` on PostgreSQL: each batch runs on its worker.
    sharing: Option<Sharing>,
    /// For writes that take long.
    turns: Turns,
    /// `None` for SQLite.
    merges: Option<Merges>,
    replicas: Option<Replicas>,
}

impl Db {
    /// The same database for another worker.
    ///
    /// On PostgreSQL each worker has its own pool. A socket belongs to the runtime that opened it,
    /// and a worker that stops would break the connections that others share with it. On SQLite all
    /// workers share the one writer and its batches: a batch of each worker would have fewer rows.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        let mut db = self.clone();
        db.reads = ByType::default();
        if let Options::Postgres(_) = self.writer.options() {
            db.batches = ByType::default();
            db.writer = self.writer.another(self.worker_pool);
            self.worker_pools.add(&db.writer);
            db.reader = Autocommit::new(Arc::clone(&db.writer));
            db.turns = Turns::of(DbBackend::Postgres, self.worker_pool);
            let replicas = self.replicas.as_ref();
            db.replicas = replicas.map(|replicas| replicas.for_worker(&db, self.worker_pool));
        }
        db
    }

    /// Closes all connections. The last process that closes an SQLite database empties its write-ahead
    /// log.
    pub async fn disconnect(&self) {
        self.reader.pool.close().await;
        self.writer.close().await;
    }

    /// The number of workers of the HTTP server: one per core, if there are enough connections.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Looks for the return of the database whenever it cannot be reached. Until then requests that
    /// need a new connection fail at once. Without this each of them waits for up to 5 s.
    pub async fn probe(&self) -> Infallible {
        self.writer.probe().await
    }

    /// The connection for reading single rows.
    #[must_use]
    pub fn read(&self) -> &Autocommit {
        &self.reader
    }

    /// The connection for reading a page of a list.
    #[must_use]
    pub fn read_list(&self) -> Autocommit {
        self.reader.clone().for_list()
    }

    /// Runs `work` in one transaction and commits it. An error of `work` rolls it back.
    ///
    /// Runs `work` again, for up to 3 s, if the database asks to try again (40001, 40P01, `SQLITE_BUSY`).
    /// `work` must not do anything that a rollback does not undo.
    ///
    /// # Errors
    /// Those of `work`, [`Error::TooSlow`] and [`Error::Unavailable`].
    pub async fn write<T, F, R>(&self, work: F) -> Result<T, Error>
    where
        F: Fn(Transaction) -> R + Send + Sync,
        R: Future<Output = Result<T, Error>> + Send,
        T: Send,
    {
        retry(|| in_transaction(&self.writer, Mode::Write, None, &work)).await
    }

    /// Like [`write`](Self::write), for a write that can take long. Few of them run at once, one of each
    /// `group`, such as an author, and the groups that wait take turns.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub async fn write_in_turn<T, F, R>(&self, group: i64, work: F) -> Result<T, Error>
    where
        F: Fn(Transaction) -> R + Send + Sync,
        R: Future<Output = Result<T, Error>> + Send,
        T: Send,
    {
        let write = self.write(work);
        self.turns.run(group, write, |_| ready(())).await
    }

    /// Like [`write`](Self::write), for a step of background work on SQLite. Waits while the
    /// write-ahead log is full. After the step it pauses for three times as long as the step took, so
    /// that the work takes at most a quarter of the writer's time.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub async fn write_a_step<T, F, R>(&self, work: F) -> Result<T, Error>
    where
        F: Fn(Transaction) -> R + Send + Sync,
        R: Future<Output = Result<T, Error>> + Send,
        T: Send,
    {
        while self.is_log_full() {
            sleep(LOG_PAUSE).await;
        }
        let began = Instant::now();
        let outcome = self.write(work).await;
        sleep(began.elapsed() * 3).await;
        outcome
    }

    /// Waits until a write of this process has committed since the last call. For one caller: a second one
    /// would miss commits.
    pub async fn committed(&self) {
        self.writer.shared().commits.notified().await;
    }

    /// Runs `work` in one read-only transaction, in which all statements see the same state of the
    /// database.
    ///
    /// Limit the time of `work`: it holds a connection, and until it ends SQLite's write-ahead log
    /// grows with each write, and PostgreSQL keeps the rows that others delete. When the log is full,
    /// the transaction ends, even if no statement of `work` runs. If it takes longer than a request,
    /// run it in a job, and count it in [`LONG_SNAPSHOTS`].
    ///
    /// # Errors
    /// Those of `work`, [`Error::TooSlow`] and [`Error::Unavailable`].
    pub async fn snapshot<T, F, R>(&self, work: F) -> Result<T, Error>
    where
        F: FnOnce(Transaction) -> R,
        R: Future<Output = Result<T, Error>>,
    {
        let pool = &self.reader.pool;
        let work = async |transaction| {
            let interrupted = pool.gate().until_interrupted();
            match select(pin!(interrupted), pin!(work(transaction))).await {
                Either::Left(_) => Err(Error::too_slow(FULL_LOG)),
                Either::Right((outcome, _)) => outcome,
            }
        };
        in_transaction(pool, Mode::Snapshot, None, work).await
    }

    /// True while SQLite's write-ahead log is too large: reads that take long are interrupted, or
    /// another process keeps the log. Always false on PostgreSQL.
    #[must_use]
    pub fn is_log_full(&self) -> bool {
        self.reader.pool.gate().is_log_full()
    }

    /// Writes `row` together with those of other requests, in one transaction.
    ///
    /// Writes at once if no batch of `B` is in flight, or only slow ones, else with the next batch. A large
    /// row waits for its [turn](Self::write_in_turn) and is written by itself, so that it does not hold up
    /// smaller ones. Runs again as [`write`](Self::write) does. An error is about this row, except for
    /// [`Error::Unavailable`].
    ///
    /// # Errors
    /// Those of [`BatchedWrite::write`].
    pub async fn batched_write<B: BatchedWrite>(&self, row: B::Row) -> Result<B::Output, Error> {
        let row = Arc::new(row);
        let bytes = B::bytes(&row);
        if bytes > LARGE {
            let write = retry(|| write_alone::<B>(&self.writer, &row));
            let group = B::group(&row);
            return self.text_in_turn(group, |_| bytes, write).await;
        }
        let batches = self.batches.get::<Batches<B>>();
        let _unmerged = (bytes > 0).then(|| self.unmerged());
        let sharing = self.sharing.as_ref();
        retry(|| batches.write(&self.writer, sharing, Arc::clone(&row))).await
    }

    /// Reads `key` by a query that other requests with the same parameters may share.
    ///
    /// The query begins after this call. Returns `None` if the key does not exist.
    ///
    /// # Errors
    /// Those of [`SharedRead::read`].
    pub async fn shared_read<Q: SharedRead>(
        &self,
        parameters: Q::Parameters,
        key: Q::Key,
    ) -> Result<Option<Q::Value>, Error> {
        let flight = self.reads.get::<SingleFlight<Q>>();
        let value = flight.get(self.reader.clone(), parameters, key).await;
        Ok(value?)
    }

    /// The migrations of this program that the database lacks. It may have further ones.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn pending(&self) -> Result<Vec<String>, Error> {
        Ok(migration::pending(&self.reader).await?)
    }
}
