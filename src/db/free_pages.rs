//! Overwrites the free pages of an SQLite file.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Db, Transaction, connection::Options};
use crate::error::Error;

/// Pages that one step overwrites, so that other writers wait for some milliseconds only.
const STEP: i64 = 256;
/// Bytes of a long value in each of its overflow pages, with SQLite's default page size of 4096.
const BYTES: i64 = 4092;
/// Bytes in the row itself. With this number all overflow pages are full (SQLite's file format, section
/// 1.6), so that nothing of their former content remains.
const IN_ROW: i64 = 1000;
/// Holds the free pages while they are overwritten. A run that was interrupted leaves it to the next.
///
/// Row 0 names the run, and the time in seconds since 1970 until which no other one may begin.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS overwritten_pages \
                      (id integer PRIMARY KEY, zeros blob, run integer, until integer)";
const RELEASE: &str = "DELETE FROM overwritten_pages WHERE id > 0 AND id = \
                       (SELECT max(id) FROM overwritten_pages)";
/// Seconds after its last step for which a run that was interrupted keeps others from beginning.
const RESERVED: i64 = 600;

impl Db {
    /// Overwrites the free pages of an SQLite file with zeros: they contain deleted rows. Works in steps,
    /// with pauses, by filling a table with zeros until no page is free. Does nothing on PostgreSQL, and
    /// if another process does it.
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
        let run = rand::random::<u32>();
        for step in [Step::Overwrite, Step::Release] {
            loop {
                let work = |transaction| step.run(transaction, run);
                match self.write_a_step(work).await? {
                    Progress::More => {}
                    Progress::Done => break,
                    Progress::Elsewhere => return Ok(()),
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Step {
    Overwrite,
    Release,
}

enum Progress {
    More,
    Done,
    /// Another process does the work.
    Elsewhere,
}

impl Step {
    async fn run(self, transaction: Transaction, run: u32) -> Result<Progress, Error> {
        transaction.execute_unprepared(CREATE).await?;
        let reserve = format!(
            "INSERT INTO overwritten_pages (id, run, until) VALUES (0, {run}, unixepoch() + {RESERVED}) \
             ON CONFLICT (id) DO UPDATE SET run = excluded.run, until = excluded.until \
             WHERE run = excluded.run OR until < unixepoch()"
        );
        let reserved = transaction.execute_unprepared(&reserve).await?;
        if reserved.rows_affected() == 0 {
            return Ok(Progress::Elsewhere);
        }
        let has_more = match self {
            Self::Overwrite => overwrite_some(&transaction).await?,
            Self::Release => release_some(&transaction).await?,
        };
        Ok(if has_more {
            Progress::More
        } else {
            Progress::Done
        })
    }
}

/// Returns false if no page is free.
async fn overwrite_some(transaction: &Transaction) -> Result<bool, Error> {
    let free = Statement::from_string(DbBackend::Sqlite, "PRAGMA freelist_count");
    let row = transaction.query_one_raw(free).await?;
    let free: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    let bytes = free.min(STEP) * BYTES + IN_ROW;
    let fill = format!("INSERT INTO overwritten_pages (zeros) VALUES (zeroblob({bytes}))");
    if free > 0 {
        transaction.execute_unprepared(&fill).await?;
    }
    Ok(free > 0)
}

/// Returns false if no page is left to release.
async fn release_some(transaction: &Transaction) -> Result<bool, Error> {
    let released = transaction.execute_unprepared(RELEASE).await?;
    let done = released.rows_affected() == 0;
    if done {
        let drop = "DROP TABLE overwritten_pages";
        transaction.execute_unprepared(drop).await?;
    }
    Ok(!done)
}
