//! Access to the database: pool, transactions, batches and shared reads. Knows no resource.

mod autocommit;
mod availability;
mod batches;
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
mod merges;
mod moment;
mod octets;
mod page;
mod per_worker;
mod places;
mod pool;
mod queues;
mod retry;
mod rows;
mod single_flight;
mod sizes;
mod sqlite_file;
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
use migration::Database;
use sea_orm::DbBackend;
use sqlx::{
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::time::sleep;

use crate::error::Error;
pub use autocommit::Autocommit;
pub use batches::BatchedWrite;
use batches::{Batches, LARGE, write_alone};
use connection::{Mode, Options};
pub use constraint::{Constraint, OnConstraint};
pub use first::First;
pub use held::Held;
pub use insert::{insert_all, insert_new};
pub use inspect::{Facts, Inspection, Postgres, Sqlite, inspect};
pub use merges::Merges;
pub use moment::comparable;
pub use octets::octets;
pub use page::{count_up_to, page, with_column};
use per_worker::PerWorker;
use pool::Pool;
use retry::retry;
pub use rows::Rows;
use single_flight::SingleFlight;
pub use single_flight::{Found, SharedRead};
use sizes::{DEFAULT_CONNECTIONS, divide};
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
const STATEMENT_TIMEOUT: &str = "10s";
/// PostgreSQL cancels a statement within this time after its client disconnects.
const CLIENT_CHECK: Duration = Duration::from_secs(1);
/// Total time to wait for a connection, connect and ping.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that an SQLite connection waits for the lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// SQLite truncates its write-ahead log to this many bytes after a checkpoint.
const JOURNAL_SIZE_LIMIT: &str = "67108864";
/// Size of the page cache of SQLite's writer: 16 MiB, as a negative number of KiB.
const WRITER_CACHE: &str = "-16384";
/// Pages of 4 KiB in SQLite's write-ahead log from which on a commit copies them to the database file.
const CHECKPOINT_PAGES: &str = "4000";
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
    /// The running shared reads and batches.
    shared: PerWorker,
    /// For writes that take long.
    turns: Turns,
    /// `None` for SQLite.
    merges: Option<Merges>,
}

impl Db {
    /// Connects, for a program that needs few connections. The error is one sentence for the operator.
    pub async fn open(database: &Database) -> Result<Self, String> {
        Self::open_with(database, DEFAULT_CONNECTIONS).await
    }

    /// Connects. On PostgreSQL the process has at most `connections` connections, at least 7, if there
    /// are at most [`workers`](Self::workers) workers: those of all pools, and one to probe an
    /// unreachable server or to cancel a statement. The error is one sentence for the operator.
    pub async fn open_with(database: &Database, connections: usize) -> Result<Self, String> {
        database.check_connection().await?;
        let db = match database {
            Database::Sqlite(options) if !options.get_filename().exists() => {
                return Err(format!(
                    "{database} does not exist; `acclaim migrate up` creates it"
                ));
            }
            Database::Sqlite(options) => Self::sqlite(options),
            Database::Postgres(options) => Self::postgres(options, connections),
        };
        for pool in [&db.writer, &db.reader.pool] {
            let opened = pool.open().await;
            opened.map_err(|error| database.explain(&error))?;
        }
        Ok(db)
    }

    /// One connection that writes, and several read-only ones, which work during a write (WAL).
    fn sqlite(options: &SqliteConnectOptions) -> Self {
        let options = options
            .clone()
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .synchronous(SqliteSynchronous::Full);
        let writer = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT)
            // In a transaction, SQLite keeps the pages that a statement changes until it succeeds. From
            // 64 KiB on it would write them to a file. Writes are bounded, so they fit in memory.
            .pragma("temp_store", "MEMORY")
            // Most rows change a page of their own in each index. A larger cache reads fewer of them again,
            // and a page that changes several times between two checkpoints is copied once.
            .pragma("cache_size", WRITER_CACHE)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            // Overwrites deleted rows in pages that stay in use. A job overwrites the others.
            .pragma("secure_delete", "FAST");
        let reader = Options::Sqlite(options.read_only(true).into());
        Self::of_pools(
            Pool::new(reader, places::sqlite_readers(workers())),
            Pool::new(Options::Sqlite(writer.into()), 1),
            (workers(), 0),
            None,
        )
    }

    /// One pool for the jobs, and one for each worker.
    fn postgres(options: &PgConnectOptions, connections: usize) -> Self {
        let options = options
            .clone()
            .options([("statement_timeout", STATEMENT_TIMEOUT)]);
        let sizes @ (_, worker_pool) = divide(connections, workers());
        let size = worker_pool + LONG_SNAPSHOTS;
        let pool = Pool::new(Options::Postgres(options.into()), size);
        Self::of_pools(Arc::clone(&pool), pool, sizes, Some(Merges::default()))
    }

    fn of_pools(
        reader: Arc<Pool>,
        writer: Arc<Pool>,
        (workers, worker_pool): (usize, usize),
        merges: Option<Merges>,
    ) -> Self {
        Self {
            reader: Autocommit::new(reader),
            turns: Turns::of(writer.options().backend(), writer.size()),
            writer,
            workers,
            worker_pool,
            worker_pools: WorkerPools::default(),
            shared: PerWorker::default(),
            merges,
        }
    }

    /// The same database for another worker.
    ///
    /// On PostgreSQL each worker has its own pool. A socket belongs to the runtime that opened it,
    /// and a worker that stops would break the connections that others share with it. On SQLite all
    /// workers share the one writer.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        let mut db = self.clone();
        db.shared = PerWorker::default();
        if let Options::Postgres(_) = self.writer.options() {
            db.writer = self.writer.another(self.worker_pool);
            self.worker_pools.add(&db.writer);
            db.reader = Autocommit::new(Arc::clone(&db.writer));
            db.turns = Turns::of(DbBackend::Postgres, self.worker_pool);
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
        let batches = self.shared.get::<Batches<B>>();
        let _unmerged = (bytes > 0).then(|| self.unmerged());
        retry(|| batches.write(&self.writer, Arc::clone(&row))).await
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
        let flight = self.shared.get::<SingleFlight<Q>>();
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

#[cfg(test)]
mod tests;
