//! SQLite's write-ahead log. SQLite itself empties it only at a moment without any read, and leaves
//! deleted text in it until it is overwritten.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::{DbBackend, DbErr, Statement};
use tokio::time::timeout;

use super::{
    BUSY_TIMEOUT, Db,
    autocommit::query_error,
    connection::Options,
    pool::{Lease, Pool},
};
use crate::error::Error;

/// Size in bytes beyond which reads are interrupted to empty the log.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// A log that is not empty is emptied at least this often, without interrupting a read.
const EMPTY_EVERY: Duration = Duration::from_hours(1);
/// After this time without success, reads are interrupted. Deleted text must leave the log in a day.
const INTERRUPT_AFTER: Duration = Duration::from_hours(12);
/// Time that running reads have to end.
const READ_GRACE: Duration = Duration::from_millis(250);
/// Time to wait for reads of other processes.
const OTHERS_GRACE: Duration = Duration::from_millis(250);
/// Pause after a failed attempt. It doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Attempts at emptying the log at the end. Each takes at most [`BUSY_TIMEOUT`].
const FINAL_ATTEMPTS: u32 = 2;

/// The write-ahead log of an SQLite database.
#[derive(Clone, Debug)]
pub struct WriteAheadLog {
    db: Db,
    file: PathBuf,
    emptied: Instant,
    next_attempt: Instant,
    pause: Duration,
}

impl Db {
    /// The write-ahead log; `None` on PostgreSQL.
    #[must_use]
    pub fn write_ahead_log(&self) -> Option<WriteAheadLog> {
        let file = self.log_file()?;
        let now = Instant::now();
        Some(WriteAheadLog {
            db: self.clone(),
            file,
            emptied: now,
            next_attempt: now,
            pause: FIRST_PAUSE,
        })
    }

    /// The size of the write-ahead log in bytes; `None` on PostgreSQL.
    #[must_use]
    pub fn log_size(&self) -> Option<u64> {
        let file = self.log_file()?;
        Some(fs::metadata(file).map_or(0, |file| file.len()))
    }

    fn log_file(&self) -> Option<PathBuf> {
        let Options::Sqlite(options) = self.writer.options() else {
            return None;
        };
        let mut file = options.get_filename().as_os_str().to_owned();
        file.push("-wal");
        Some(file.into())
    }

    /// Closes all connections of a server that has stopped. After that the file of an SQLite database
    /// alone has all data.
    ///
    /// # Errors
    /// If another process reads an SQLite database for more than 10 s. The data is safe, and a part of
    /// it is in the write-ahead log.
    pub async fn close(&self) -> Result<(), Error> {
        let outcome = match self.writer.options() {
            Options::Sqlite(_) => empty_at_the_end(&self.writer).await,
            Options::Postgres(_) => Ok(()),
        };
        self.disconnect().await;
        outcome
    }
}

impl WriteAheadLog {
    /// Empties the log if it is too large, or was not emptied for an hour. Call it several times a
    /// second: the log grows by up to 30 MB in that time.
    ///
    /// Writes and new reads wait for at most about a second. Reads and snapshots that do not end within
    /// 250 ms meanwhile fail with [`Error::TooSlow`] if the log is too large. An attempt that fails,
    /// because another process reads, is repeated after a pause.
    pub async fn checkpoint_if_due(&mut self) {
        let bytes = fs::metadata(&self.file).map_or(0, |file| file.len());
        let age = self.emptied.elapsed();
        let gate = self.db.reader.pool.gate();
        let is_full = bytes > MAX_BYTES;
        gate.set_log_full(is_full);
        let interrupt = is_full || age > INTERRUPT_AFTER;
        let due = bytes > 0 && (interrupt || age > EMPTY_EVERY);
        if !due || Instant::now() < self.next_attempt {
            return;
        }
        let cause = match self.empty(interrupt).await {
            Ok(true) => {
                tracing::debug!(bytes, "emptied the write-ahead log");
                gate.set_log_full(false);
                self.emptied = Instant::now();
                self.pause = FIRST_PAUSE;
                return;
            }
            Ok(false) => "a read keeps it".to_owned(),
            Err(error) => error.to_string(),
        };
        if interrupt {
            tracing::warn!(bytes, cause, "the write-ahead log cannot be emptied");
        }
        self.next_attempt = Instant::now() + self.pause;
        self.pause = MAX_PAUSE.min(self.pause * 2);
    }

    /// Returns false if reads prevent it.
    async fn empty(&self, interrupt: bool) -> Result<bool, DbErr> {
        // Before the gate closes: a transaction that holds the writer may wait for a read.
        let writer = self.db.writer.lease().await?;
        let readers = &self.db.reader.pool;
        let gate = readers.gate().close();
        if timeout(READ_GRACE, readers.until_idle()).await.is_err() {
            if !interrupt {
                writer.release(None);
                return Ok(false);
            }
            gate.interrupt();
            // Those that remain do not run. They end at their next step.
            let _ = timeout(READ_GRACE, readers.until_idle()).await;
        }
        truncate(writer, OTHERS_GRACE).await
    }
}

async fn empty_at_the_end(writer: &Arc<Pool>) -> Result<(), Error> {
    for _ in 0..FINAL_ATTEMPTS {
        if truncate(writer.lease().await?, BUSY_TIMEOUT).await? {
            return Ok(());
        }
    }
    let cause = "another program reads the database, so the write-ahead log still has data; \
                 a copy of the database needs the file with the suffix -wal as well";
    Err(Error::unavailable(cause))
}

/// Copies the log to the database file and truncates it, waiting for reads for up to `max_wait`.
/// Returns false if they last longer.
async fn truncate(mut writer: Lease, max_wait: Duration) -> Result<bool, DbErr> {
    let busy_timeout = |time: Duration| format!("PRAGMA busy_timeout = {}", time.as_millis());
    let checkpoint = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
    let connection = &mut writer.connection;
    let outcome = async {
        connection.execute_simple(&busy_timeout(max_wait)).await?;
        let rows = connection.rows(&checkpoint).await?;
        connection
            .execute_simple(&busy_timeout(BUSY_TIMEOUT))
            .await?;
        Ok(rows)
    }
    .await;
    // After an error the connection may have the short time-out. It is closed then.
    if outcome.is_ok() {
        writer.release(None);
    }
    let rows = outcome.map_err(query_error)?;
    let busy: i64 = match rows.first() {
        Some(row) => row.try_get_by_index(0)?,
        None => 0,
    };
    Ok(busy == 0)
}
