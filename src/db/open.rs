//! Opens the pools of a database, each with its settings.

use std::sync::Arc;

use migration::{Database, Servers};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio::runtime::Handle;

use super::{
    Autocommit, BUSY_TIMEOUT, Db, Merges,
    batches::Sharing,
    by_type::ByType,
    connection::Options,
    places,
    pool::Pool,
    sizes::{DEFAULT_CONNECTIONS, LONG_SNAPSHOTS, divide, workers},
    statistics::WorkerPools,
    turns::Turns,
};

/// SQLite truncates its write-ahead log to this many bytes after a checkpoint.
const JOURNAL_SIZE_LIMIT: &str = "67108864";
/// Size of the page cache of SQLite's writer: 16 MiB, as a negative number of KiB.
const WRITER_CACHE: &str = "-16384";
/// Pages of 4 KiB in SQLite's write-ahead log from which on a commit copies them to the database file.
const CHECKPOINT_PAGES: &str = "4000";

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
            Database::Postgres(servers) => Self::postgres(servers.clone(), connections),
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
        let runtime = Handle::try_current().ok();
        let sharing = runtime.map(|runtime| Sharing {
            runtime,
            workers: workers(),
        });
        Self::of_pools(
            Pool::new(reader, places::sqlite_readers(workers())),
            Pool::new(Options::Sqlite(writer.into()), 1),
            (workers(), 0),
            None,
            sharing,
        )
    }

    /// One pool for the jobs, and one for each worker.
    fn postgres(servers: Servers, connections: usize) -> Self {
        let sizes @ (_, worker_pool) = divide(connections, workers());
        let size = worker_pool + LONG_SNAPSHOTS;
        let pool = Pool::new(Options::Postgres(servers), size);
        Self::of_pools(
            Arc::clone(&pool),
            pool,
            sizes,
            Some(Merges::default()),
            None,
        )
    }

    fn of_pools(
        reader: Arc<Pool>,
        writer: Arc<Pool>,
        (workers, worker_pool): (usize, usize),
        merges: Option<Merges>,
        sharing: Option<Sharing>,
    ) -> Self {
        Self {
            reader: Autocommit::new(reader),
            turns: Turns::of(writer.options().backend(), writer.size()),
            writer,
            workers,
            worker_pool,
            worker_pools: WorkerPools::default(),
            reads: ByType::default(),
            batches: ByType::default(),
            sharing,
            merges,
            replicas: None,
        }
    }
}

#[cfg(test)]
mod tests;
