//! How to reach the database. The only room that asks which one it is.

mod connection;
mod each;
mod fault;
mod inspect;
mod moment;
mod page;
mod pool;
mod share;
mod together;
mod transaction;

use std::{num::NonZero, sync::Arc, thread, time::Duration};

use migration::Database;
use sqlx::{
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::error::Error;
use connection::Options;
pub use each::Each;
pub use inspect::{Facts, Inspection, Postgres, Sqlite, inspect};
pub use moment::comparable;
pub use page::{beside, page};
use pool::Pool;
pub use share::{Found, Shared};
use together::Together;
pub use together::{Pair, Row, Written, by_pair, table};
pub use transaction::Transaction;

/// How long PostgreSQL works on one statement before it gives up.
const STATEMENT_TIMEOUT: &str = "10s";
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
    reader: Each,
    writer: Each,
    together: Together,
}

impl Db {
    /// Connects. The error is one sentence for the operator.
    pub async fn open(database: &Database) -> Result<Self, String> {
        database.reach().await?;
        let db = match database {
            Database::Sqlite(options) => Self::sqlite(options),
            Database::Postgres(options) => Self::postgres(options),
        };
        for pool in [&db.writer.pool, &db.reader.pool] {
            let opened = pool.open().await;
            opened.map_err(|error| database.explain(&error))?;
        }
        Ok(db)
    }

    /// One connection that writes, and some that read while it does (WAL) and cannot write.
    fn sqlite(options: &SqliteConnectOptions) -> Self {
        let options = options
            .clone()
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .synchronous(SqliteSynchronous::Full);
        let writer = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT);
        let writer = Pool::new(Options::Sqlite(writer.into()), 1);
        let reader = Options::Sqlite(options.read_only(true).into());
        Self {
            reader: Each::reading(Pool::new(reader, workers().max(4))),
            writer: Each::writing(writer),
            together: Together::default(),
        }
    }

    fn postgres(options: &PgConnectOptions) -> Self {
        let options = options
            .clone()
            .options([("statement_timeout", STATEMENT_TIMEOUT)]);
        Self::of_pool(postgres_pool(Options::Postgres(options.into())))
    }

    fn of_pool(pool: Arc<Pool>) -> Self {
        Self {
            reader: Each::reading(Arc::clone(&pool)),
            writer: Each::writing(pool),
            together: Together::default(),
        }
    }

    /// The same database for another worker.
    ///
    /// A PostgreSQL socket belongs to the runtime that opened it. A worker that stops takes its
    /// runtime along, so that sharing sockets would cut off what the other workers still answer:
    /// each has a pool of its own. SQLite has no sockets, and one writer for all.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        match &self.reader.pool.options {
            Options::Sqlite(_) => Self {
                together: Together::default(),
                ..self.clone()
            },
            options @ Options::Postgres(_) => Self::of_pool(postgres_pool(options.clone())),
        }
    }

    /// To read with.
    #[must_use]
    pub fn read(&self) -> &Each {
        &self.reader
    }

    /// Runs `work` in one transaction and commits it; an error of `work` rolls everything back.
    ///
    /// `work` runs again, up to six times in all, when the database says "try again" (40001, 40P01,
    /// `SQLITE_BUSY`): it must not do anything that a rollback does not undo.
    pub async fn write<T>(
        &self,
        work: impl AsyncFn(&Transaction) -> Result<T, Error>,
    ) -> Result<T, Error> {
        again(async || {
            let transaction = Transaction::begin(&self.writer.pool).await?;
            match work(&transaction).await {
                Ok(done) => {
                    transaction.commit().await?;
                    Ok(done)
                }
                Err(error) => {
                    // If it fails the connection is closed, which rolls back as well.
                    let _ = transaction.roll_back().await;
                    Err(error)
                }
            }
        })
        .await
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

async fn again<T>(attempt: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let mut number = 1;
    loop {
        match attempt().await {
            Err(Error::TryAgain(cause)) if number < ATTEMPTS => {
                tracing::debug!(number, %cause, "the write is tried again");
                let most = 5 << number;
                tokio::time::sleep(Duration::from_millis(rand::random_range(1..=most))).await;
                number += 1;
            }
            Err(Error::TryAgain(cause)) => return Err(Error::Unavailable(cause)),
            outcome => return outcome,
        }
    }
}

/// How many workers the server has: as many as cores.
#[must_use]
pub fn workers() -> usize {
    thread::available_parallelism().map_or(2, NonZero::get)
}

/// One worker's share of the connections.
fn postgres_pool(options: Options) -> Arc<Pool> {
    Pool::new(options, (POSTGRES_CONNECTIONS / workers()).clamp(2, 8))
}
