//! How to reach the database. The only room that asks which one it is.

mod fault;
mod inspect;
mod moment;
mod page;

use std::{num::NonZero, thread, time::Duration};

use migration::Database;
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use sqlx::{
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::error::Error;
pub use inspect::{Facts, Inspection, Postgres, Sqlite, inspect};
pub use moment::comparable;
pub use page::page;

/// How long a request waits for a connection before it is told that the database is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long PostgreSQL works on one statement before it gives up.
const STATEMENT_TIMEOUT: &str = "10s";
/// A connection that was idle for longer is tried before it is used: it may be dead.
const TEST_IF_IDLE_FOR: Duration = Duration::from_secs(1);
/// How long an SQLite connection waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// PostgreSQL connections of all workers together; a server allows 100 unless told otherwise.
const POSTGRES_CONNECTIONS: usize = 32;
/// How often a write is tried in all when the database asks for another try.
const ATTEMPTS: u32 = 6;
/// SQLite cuts its write-ahead log back to this many bytes after a checkpoint.
const JOURNAL_SIZE_LIMIT: &str = "67108864";

/// The database, shared by all that runs in one worker.
#[derive(Clone, Debug)]
pub struct Db {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    postgres: Option<PgConnectOptions>,
}

impl Db {
    /// Connects. The error is one sentence for the operator.
    pub async fn open(database: &Database) -> Result<Self, String> {
        database.reach().await?;
        let opened = match database {
            Database::Sqlite(options) => Self::open_sqlite(options).await,
            Database::Postgres(options) => Self::open_postgres(options).await,
        };
        opened.map_err(|error| database.explain(&error))
    }

    /// One connection that writes, and some that read while it does (WAL) and cannot write.
    async fn open_sqlite(options: &SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let options = options
            .clone()
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false);
        let writer = pool
            .clone()
            .max_connections(1)
            .connect_with(
                options
                    .clone()
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT),
            )
            .await?;
        let readers = u32::try_from(workers().max(4)).unwrap_or(u32::MAX);
        let reader = pool
            .max_connections(readers)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self {
            reader: reader.into(),
            writer: writer.into(),
            postgres: None,
        })
    }

    async fn open_postgres(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        let options = options
            .clone()
            .options([("statement_timeout", STATEMENT_TIMEOUT)]);
        let pool = postgres_pool().connect_with(options.clone()).await?;
        Ok(Self {
            reader: pool.clone().into(),
            writer: pool.into(),
            postgres: Some(options),
        })
    }

    /// The same database for another worker.
    ///
    /// A PostgreSQL socket belongs to the runtime that opened it. A worker that stops takes its
    /// runtime along, so that sharing sockets would cut off what the other workers still answer:
    /// each has a pool of its own. SQLite has no sockets, and one writer for all.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        let Some(options) = &self.postgres else {
            return self.clone();
        };
        let pool = postgres_pool().connect_lazy_with(options.clone());
        Self {
            reader: pool.clone().into(),
            writer: pool.into(),
            postgres: self.postgres.clone(),
        }
    }

    /// A connection to read from.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Runs `work` in one transaction and commits it; an error of `work` rolls everything back.
    ///
    /// `work` runs again, up to six times in all, when the database says "try again" (40001, 40P01,
    /// `SQLITE_BUSY`): it must not do anything that a rollback does not undo.
    pub async fn write<T>(
        &self,
        work: impl AsyncFn(&DatabaseTransaction) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            match self.attempt(&work).await {
                Err(Error::TryAgain(cause)) if attempt < ATTEMPTS => {
                    tracing::debug!(attempt, %cause, "the transaction is tried again");
                    let most = 5 << attempt;
                    tokio::time::sleep(Duration::from_millis(rand::random_range(1..=most))).await;
                    attempt += 1;
                }
                Err(Error::TryAgain(cause)) => return Err(Error::Unavailable(cause)),
                outcome => return outcome,
            }
        }
    }

    async fn attempt<T>(
        &self,
        work: impl AsyncFn(&DatabaseTransaction) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // A deferred transaction that reads first cannot always become a writing one. PostgreSQL
        // ignores the mode.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = self.writer.begin_with_options(options).await?;
        let done = work(&transaction).await?;
        transaction.commit().await?;
        Ok(done)
    }

    /// How many migrations the database lacks.
    ///
    /// # Errors
    /// When it cannot be reached, or is newer than this program.
    pub async fn pending(&self) -> Result<Vec<String>, Error> {
        migration::pending(&self.reader)
            .await
            .map_err(|error| match error {
                migration::Error::Database(cause) => cause.into(),
                other => Error::Unavailable(other.into()),
            })
    }
}

/// How many workers the server has: as many as cores.
#[must_use]
pub fn workers() -> usize {
    thread::available_parallelism().map_or(2, NonZero::get)
}

fn postgres_pool() -> PgPoolOptions {
    let share = (POSTGRES_CONNECTIONS / workers()).clamp(2, 8);
    PgPoolOptions::new()
        .max_connections(u32::try_from(share).unwrap_or(2))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, idle| {
            Box::pin(async move {
                if idle.idle_for > TEST_IF_IDLE_FOR {
                    sqlx::Connection::ping(connection).await?;
                }
                Ok(true)
            })
        })
}
