//! Maintenance of the search index: merges new words on PostgreSQL, removes those of deleted posts on
//! SQLite.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{
    db::{Db, Transaction},
    error::Error,
};

const INDEXES: [&str; 2] = ["posts_search", "posts_titles"];
/// Pages that one step writes, so that other writers wait for some milliseconds only.
const STEP: i32 = 100;

/// Merges all segments of the search index, which drops the words of deleted and changed posts. FTS5
/// keeps them until then, beside a mark of their deletion.
///
/// Its option `secure-delete` would drop them at once, but then the deletion of a post of 600 words
/// takes 42 ms instead of 1.5. Does nothing on PostgreSQL, which has the words in the row of the post.
///
/// # Errors
/// [`Error::Unavailable`]. The next call continues.
pub async fn forget_deleted_words(db: &Db) -> Result<(), Error> {
    if db.read().get_database_backend() == DbBackend::Postgres {
        return Ok(());
    }
    for index in INDEXES {
        // A negative number starts the merge of all segments, positive ones continue it.
        let mut has_merged = merge(db, index, -STEP).await?;
        while has_merged {
            has_merged = merge(db, index, STEP).await?;
        }
    }
    Ok(())
}

/// Merges the words of new posts into PostgreSQL's search index. Needs no right to the index, because the
/// function has the rights of its owner.
///
/// # Errors
/// [`Error::Unavailable`]. The next call continues.
pub async fn merge_new_words(db: &Db) -> Result<(), Error> {
    loop {
        let merged = db
            .read()
            .execute_unprepared("SELECT posts_search_merge()")
            .await;
        match merged.map_err(Error::from) {
            // PostgreSQL keeps what it has merged before the statement time-out.
            Err(Error::TooSlow(_)) => {}
            merged => return merged.map(|_| ()),
        }
    }
}

/// Returns false if there was nothing to do.
async fn merge(db: &Db, index: &str, pages: i32) -> Result<bool, Error> {
    let merge = format!("INSERT INTO {index} ({index}, rank) VALUES ('merge', {pages})");
    let merge = &merge;
    db.write_a_step(|transaction| async move {
        let before = total_changes(&transaction).await?;
        transaction.execute_unprepared(merge).await?;
        // The statement itself counts as one change.
        Ok(total_changes(&transaction).await? - before > 1)
    })
    .await
}

async fn total_changes(transaction: &Transaction) -> Result<i64, Error> {
    let total = Statement::from_string(DbBackend::Sqlite, "SELECT total_changes()");
    let row = transaction.query_one_raw(total).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get_by_index(0))?)
}
