//! Removing stored answers in small transactions, so that no request waits long for a lock.

use entity::{
    idempotency_keys::{Column, Entity},
    values::{KeyScope, UserId},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, sea_query::Expr,
};
use time::Duration;

use super::cutoff;
use crate::{
    db::{Db, Transaction, ValuesTable, octets, page},
    error::Error,
};

/// Maximum number of answers that one step deletes.
const ROWS: u64 = 200;
/// A step deletes no further answer after this many bytes.
const BYTES: i64 = 1_000_000;
/// Answers are deleted only this long after they have expired, so that a transaction that has left out a
/// repeated row still finds its answer.
const GRACE: Duration = Duration::minutes(5);

/// Deletes the answers that have expired. Returns their number.
///
/// # Errors
/// [`Error::Unavailable`]. The next call continues.
pub async fn delete_expired(db: &Db) -> Result<u64, Error> {
    let expired = Column::CreatedAt.lte(cutoff() - GRACE);
    let expired = &expired;
    let mut total = 0;
    loop {
        let deleted = db.write_a_step(|transaction| async move {
            // In the order of the index, which ends at the first row that is not expired.
            let oldest = Entity::find().order_by_asc(Column::CreatedAt);
            let delete = delete_some(&transaction, oldest, expired.clone());
            // Boxed, because the future of the job would contain its large future.
            Ok(Box::pin(delete).await?)
        });
        match deleted.await? {
            None => return Ok(total),
            Some(deleted) => total += deleted,
        }
    }
}

/// Deletes some of the answers to requests of `user`. Returns their number; `None` if there are none.
pub(in crate::services) async fn delete_some_of(
    transaction: &Transaction,
    user: UserId,
) -> Result<Option<u64>, DbErr> {
    let caller = KeyScope::from(Some(user));
    let delete = delete_some(transaction, Entity::find(), Column::Caller.eq(caller));
    Box::pin(delete).await
}

/// Deletes the first rows of `all` that match `condition`, up to [`ROWS`] and [`BYTES`]. Returns the
/// number of those that another transaction did not delete first; `None` if no row matches.
async fn delete_some(
    transaction: &Transaction,
    all: Select<Entity>,
    condition: Expr,
) -> Result<Option<u64>, DbErr> {
    let select = all
        .select_only()
        .columns([Column::Caller, Column::Key])
        .expr_as(octets(Column::Body).cast_as("bigint"), "bytes")
        .filter(condition.clone());
    let backend = transaction.get_database_backend();
    let statement = page(select.build(backend), ROWS, 0);
    let (mut callers, mut keys, mut bytes) = (Vec::<i64>::new(), Vec::<String>::new(), 0);
    for row in transaction.query_all_raw(statement).await? {
        bytes += row.try_get::<i64>("", "bytes")?;
        if !keys.is_empty() && bytes > BYTES {
            break;
        }
        callers.push(row.try_get("", "caller")?);
        keys.push(row.try_get("", "key")?);
    }
    if keys.is_empty() {
        return Ok(None);
    }
    let rows = ValuesTable::new()
        .column("caller", callers)
        .column("key", keys);
    let key = Expr::tuple([Column::Caller, Column::Key].map(Expr::col));
    let delete = Entity::delete_many()
        .filter(key.in_subquery(rows.select(backend)))
        // A request can have replaced an expired row.
        .filter(condition);
    Ok(Some(delete.exec(transaction).await?.rows_affected))
}
