//! Overwrites the free pages of an SQLite file.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Db, Transaction, connection::Options};
use crate::error::Error;

/// Pages that one transaction overwrites, so that other writers wait for some milliseconds only.
const STEP: i64 = 256;
/// Bytes of a long value in each of its overflow pages, with SQLite's default page size of 4096.
const BYTES: i64 = 4092;
/// Bytes in the row itself. With this number all overflow pages are full (SQLite's file format, section
/// 1.6), so that nothing of their former content remains.
const IN_ROW: i64 = 1000;
/// Holds the free pages while they are overwritten. A run that was interrupted leaves it to the next.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS erased_pages (zeros blob NOT NULL)";
const RELEASE: &str =
    "DELETE FROM erased_pages WHERE rowid = (SELECT max(rowid) FROM erased_pages)";

impl Db {
    /// Overwrites the free pages of an SQLite file with zeros: they contain deleted rows. Works in steps,
    /// by filling a table with zeros until no page is free. Does nothing on PostgreSQL.
    ///
    /// `PRAGMA secure_delete = ON` does this at each deletion, but makes new posts slower as well, because
    /// the search index frees pages whenever it grows.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::StorageFull`]. The next call continues.
    pub async fn overwrite_free_pages(&self) -> Result<(), Error> {
        if matches!(self.writer.options(), Options::Postgres(_)) {
            return Ok(());
        }
        while self.write(overwrite_some).await? {}
        while self.write(release_some).await? {}
        Ok(())
    }
}

/// Returns false if no page is free.
async fn overwrite_some(transaction: Transaction) -> Result<bool, Error> {
    transaction.execute_unprepared(CREATE).await?;
    let free = Statement::from_string(DbBackend::Sqlite, "PRAGMA freelist_count");
    let row = transaction.query_one_raw(free).await?;
    let free: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    let bytes = free.min(STEP) * BYTES + IN_ROW;
    let fill = format!("INSERT INTO erased_pages VALUES (zeroblob({bytes}))");
    if free > 0 {
        transaction.execute_unprepared(&fill).await?;
    }
    Ok(free > 0)
}

/// Returns false if no page is left to release.
async fn release_some(transaction: Transaction) -> Result<bool, Error> {
    let released = transaction.execute_unprepared(RELEASE).await?;
    let done = released.rows_affected() == 0;
    if done {
        let drop = "DROP TABLE IF EXISTS erased_pages";
        transaction.execute_unprepared(drop).await?;
    }
    Ok(!done)
}
