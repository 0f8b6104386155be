//! Positions for changes on PostgreSQL.
//!
//! A transaction may commit after others that took later numbers, so a number that is taken at the time of
//! the change does not tell whether an earlier one is still to come. Triggers therefore write changes to
//! an outbox, and each server moves the committed ones to the log, one server at a time.
//!
//! The order in the log is consistent: rows of one move have the order of their ids, and two changes of the
//! same row have ascending ids, because the second waits for the lock on the row. A change that commits after
//! a move is in a later one.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

use crate::{
    db::{Db, Transaction},
    error::Error,
};

/// Maximum number of rows of the outbox that one move takes.
const ROWS: i64 = 1_000;
/// A move takes no further row after this many events. A row has up to 1,000.
const EVENTS: i64 = 5_000;

/// Time after which a move looks at all rows again.
const START_AGAIN: Duration = Duration::from_secs(10);

/// Others wait until the transaction has ended. In the transaction and not the session, because a pooler
/// gives each transaction another session. The lock comes before the statement that moves rows, which
/// must see all earlier moves.
///
/// A server that is frozen or cut off in this transaction loses it, and the lock, after some seconds.
const LOCK: &str = "SELECT set_config('idle_in_transaction_session_timeout', '2s', true),
        pg_advisory_xact_lock('event_outbox'::regclass::oid::bigint)::text,
        CASE WHEN is_called THEN last_value ELSE 0 END AS last_id
    FROM event_outbox_id_seq";
/// `oldest_running` is of the snapshot from which the rows are taken. [`LOCK`] reads `last_id` before, because the
/// transaction gets its number here.
const MOVE: &str = "WITH first AS (
        SELECT id, sum(cardinality(subject_ids)) OVER (ORDER BY id) - cardinality(subject_ids) AS before
        FROM (SELECT id, subject_ids FROM event_outbox WHERE id > $1 ORDER BY id LIMIT $2) AS oldest
    ),
    taken AS (
        DELETE FROM event_outbox WHERE id IN (SELECT id FROM first WHERE before < $3)
        RETURNING id, at, kind, subject_ids, actor_ids, payloads
    ),
    added AS (
        INSERT INTO events (at, kind, subject_id, actor_id, payload)
        SELECT at, kind, subject_id, actor_id, payload
        FROM taken, unnest(subject_ids, actor_ids, payloads)
            WITH ORDINALITY AS changes (subject_id, actor_id, payload, place)
        ORDER BY taken.id, place
        RETURNING 1
    )
    SELECT pg_current_xact_id()::text::bigint AS own,
        pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_running,
        (SELECT count(*) FROM first) < $2
        AND (SELECT count(*) FROM first) = (SELECT count(*) FROM taken) AS is_all";

/// The outbox of a database.
#[derive(Debug, Default)]
pub struct Outbox(Progress);

/// Ids up to `empty` are used up. Without this, each move would step over the index entries of all rows
/// since the last VACUUM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    empty: i64,
    /// The last id that was assigned before transaction `own` got its number. Every change has the number of
    /// its transaction before it takes an id.
    last_id: i64,
    own: i64,
    began: Option<Instant>,
}

impl Outbox {
    /// Moves committed changes to the log. Does nothing on SQLite, whose triggers write to the log.
    ///
    /// # Errors
    /// [`Error::Unavailable`]. Nothing is lost, and the next call continues.
    pub async fn move_to_log(&mut self, db: &Db) -> Result<(), Error> {
        if db.read().get_database_backend() == DbBackend::Sqlite {
            return Ok(());
        }
        self.start_again_at_times();
        while !is_empty(db, self.0.empty).await? && self.move_some(db).await? {}
        Ok(())
    }

    /// After a failover that lost commits, ids may be assigned again.
    fn start_again_at_times(&mut self) {
        let Self(progress) = self;
        if progress
            .began
            .is_none_or(|began| began.elapsed() > START_AGAIN)
        {
            *progress = Progress {
                began: Some(Instant::now()),
                ..Progress::default()
            };
        }
    }

    /// Returns whether there may be more.
    async fn move_some(&mut self, db: &Db) -> Result<bool, Error> {
        let after = self.0.empty;
        let (moved, now) = db
            .write(|transaction| async move { move_rows(&transaction, after).await })
            .await?;
        if moved.is_all {
            self.0.advance(now);
        }
        Ok(!moved.is_all)
    }
}

/// The ids and transactions at the time of a move.
#[derive(Clone, Copy, Debug)]
struct Now {
    last_id: i64,
    own: i64,
    oldest_running: i64,
}

struct Moved {
    /// No row that was committed before remains.
    is_all: bool,
}

impl Progress {
    /// Call it after a move that left nothing. If every transaction that could have an id up to `last_id` has
    /// ended before the move, those ids are used up.
    fn advance(&mut self, now: Now) {
        if now.last_id < self.last_id {
            // The database is another one, or was restored.
            *self = Self::default();
        }
        if now.oldest_running >= self.own {
            *self = Self {
                empty: self.last_id,
                last_id: now.last_id,
                own: now.own,
                began: self.began,
            };
        }
    }
}

async fn is_empty(db: &Db, empty: i64) -> Result<bool, Error> {
    let connection = db.read();
    let sql = "SELECT NOT EXISTS (SELECT FROM event_outbox WHERE id > $1) AS is_empty";
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [empty.into()]);
    let row = connection.query_one_raw(statement).await?;
    row.map_or(Ok(true), |row| Ok(row.try_get("", "is_empty")?))
}

async fn move_rows(transaction: &Transaction, after: i64) -> Result<(Moved, Now), Error> {
    let last_id = one(transaction, LOCK, []).await?.try_get("", "last_id")?;
    let moved = one(transaction, MOVE, [after, ROWS, EVENTS]).await?;
    let now = Now {
        last_id,
        own: moved.try_get("", "own")?,
        oldest_running: moved.try_get("", "oldest_running")?,
    };
    let moved = Moved {
        is_all: moved.try_get("", "is_all")?,
    };
    Ok((moved, now))
}

async fn one<const N: usize>(
    transaction: &Transaction,
    sql: &str,
    values: [i64; N],
) -> Result<QueryResult, Error> {
    let values = values.map(Into::into);
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let row = transaction.query_one_raw(statement).await?;
    row.ok_or_else(|| Error::internal("a statement of the outbox returned no row"))
}

#[cfg(test)]
mod tests {
    use super::{Now, Progress};

    fn now(last_id: i64, own: i64, oldest_running: i64) -> Now {
        Now {
            last_id,
            own,
            oldest_running,
        }
    }

    #[test]
    fn ids_of_running_transactions_are_not_used_up() {
        let mut progress = Progress::default();
        progress.advance(now(10, 100, 90));
        assert_eq!(progress.empty, 0);
        // Transaction 95, which runs, can have id 10.
        progress.advance(now(20, 110, 95));
        assert_eq!(progress.empty, 0);
        progress.advance(now(30, 120, 100));
        assert_eq!(progress.empty, 10);
        progress.advance(now(40, 130, 119));
        assert_eq!(progress.empty, 10);
        progress.advance(now(40, 140, 120));
        assert_eq!(progress.empty, 30);
    }

    #[test]
    fn a_restored_database_is_read_from_the_start() {
        let mut progress = Progress::default();
        progress.advance(now(30, 100, 100));
        progress.advance(now(30, 110, 110));
        assert_eq!(progress.empty, 30);
        progress.advance(now(5, 50, 50));
        assert_eq!(progress.empty, 0);
    }
}
