//! Reading stored answers.

use std::collections::HashMap;

use entity::idempotency_keys::{Column, Entity, Model};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Query},
};
use time::OffsetDateTime;

use super::{ScopedKey, cutoff};
use crate::{
    db::{Autocommit, Db, First, Found, RowFilter, SharedRead, Transaction, ValuesTable, subquery},
    error::Error,
};

/// The row of `key`. Most keys are new: concurrent requests share the query that tells.
pub(super) async fn find(db: &Db, key: ScopedKey) -> Result<Option<Model>, Error> {
    if db.shared_read::<Known>((), key.clone()).await?.is_none() {
        return Ok(None);
    }
    let row = row(db.read(), &key).await?;
    Ok(row.filter(|row| row.created_at > cutoff()))
}

/// The rows of those of `keys` that have one from after `cutoff`.
pub(super) async fn find_all(
    transaction: &Transaction,
    keys: &[ScopedKey],
    cutoff: OffsetDateTime,
) -> Result<HashMap<ScopedKey, Model>, Error> {
    let mut rows = HashMap::new();
    // A repetition costs no more than the write of a row, so they need not share a statement.
    for (key, ()) in known(transaction, keys, cutoff).await? {
        if let Some(row) = row(transaction, &key).await? {
            rows.insert(key, row);
        }
    }
    Ok(rows)
}

/// The condition that the key of a row has no answer from after `cutoff`. `keys` has the key of each row.
pub(super) fn without_answer(keys: &[ScopedKey], cutoff: OffsetDateTime) -> RowFilter {
    RowFilter {
        columns: columns(ValuesTable::new(), keys),
        condition: status(cutoff).is_null(),
    }
}

async fn row(
    connection: &impl ConnectionTrait,
    (caller, key): &ScopedKey,
) -> Result<Option<Model>, Error> {
    let row = Entity::find()
        .filter(Column::Caller.eq(*caller))
        .filter(Column::Key.eq(key.clone()));
    Ok(row.first(connection).await?)
}

/// The keys that have a row.
struct Known;

impl SharedRead for Known {
    type Parameters = ();
    type Key = ScopedKey;
    type Value = ();

    async fn read(connection: Autocommit, (): (), keys: Vec<ScopedKey>) -> Found<ScopedKey, ()> {
        known(&connection, &keys, cutoff()).await
    }
}

/// Those of `keys` that have a row from after `cutoff`.
async fn known(
    connection: &impl ConnectionTrait,
    keys: &[ScopedKey],
    cutoff: OffsetDateTime,
) -> Found<ScopedKey, ()> {
    let requested = columns(ValuesTable::numbered(keys.len()), keys);
    let known = Query::select()
        .column(ValuesTable::POSITION)
        .from_subquery(
            requested.select(connection.get_database_backend()),
            RowFilter::TABLE,
        )
        .and_where(status(cutoff).is_not_null())
        .take();
    let rows = connection.query_all(&known).await?;
    ValuesTable::by_position(keys, &rows, |_| Ok(()))
}

fn columns(values: ValuesTable, keys: &[ScopedKey]) -> ValuesTable {
    values
        .column("caller", keys.iter().map(|(caller, _)| *caller))
        .column("key", keys.iter().map(|(_, key)| key.clone()))
}

/// The status of the answer from after `cutoff` for the key of a row of [`RowFilter::TABLE`].
///
/// A scalar subquery looks up each key in the index. For a join, PostgreSQL may read the whole table, as
/// long as it has no statistics of it.
fn status(cutoff: OffsetDateTime) -> Expr {
    let column = |column: Column| Expr::col((Entity, column));
    let select = Query::select()
        .expr(column(Column::Status))
        .from(Entity)
        .and_where(column(Column::Caller).equals((RowFilter::TABLE, "caller")))
        .and_where(column(Column::Key).equals((RowFilter::TABLE, "key")))
        .and_where(Column::CreatedAt.gt(cutoff))
        .take();
    subquery(select)
}
