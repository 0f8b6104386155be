//! Reading stored answers.

use std::collections::HashMap;

use entity::idempotency_keys::{Column, Entity, Model};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ModelTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{ScopedKey, cutoff};
use crate::{
    db::{Autocommit, Db, First, Found, SharedRead, Transaction, ValuesTable, subquery},
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

/// The rows of those of `keys` that have one. Deletes the expired ones, so that new ones can be stored.
pub(super) async fn find_all(
    transaction: &Transaction,
    keys: Vec<ScopedKey>,
) -> Result<HashMap<ScopedKey, Model>, Error> {
    let mut rows = HashMap::new();
    // A repetition costs no more than the write of a row, so they need not share a statement.
    for (key, ()) in known(transaction, &keys).await? {
        if let Some(row) = find_or_expire(transaction, &key).await? {
            rows.insert(key, row);
        }
    }
    Ok(rows)
}

/// The row of `key`. Deletes it if it is expired.
pub(super) async fn find_or_expire(
    transaction: &Transaction,
    key: &ScopedKey,
) -> Result<Option<Model>, Error> {
    match row(transaction, key).await? {
        Some(row) if row.created_at <= cutoff() => {
            row.delete(transaction).await?;
            Ok(None)
        }
        row => Ok(row),
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
        known(&connection, &keys).await
    }
}

/// Those of `keys` that have a row, expired or not.
async fn known(connection: &impl ConnectionTrait, keys: &[ScopedKey]) -> Found<ScopedKey, ()> {
    let requested = ValuesTable::numbered(keys.len())
        .column("caller", keys.iter().map(|(caller, _)| *caller))
        .column("key", keys.iter().map(|(_, key)| key.clone()))
        .select(connection.get_database_backend());
    let column = |column: Column| Expr::col((Entity, column));
    // A scalar subquery looks up each key in the index. For a join, PostgreSQL may read the whole
    // table, as long as it has no statistics of it.
    let row = Query::select()
        .expr(column(Column::Status))
        .from(Entity)
        .and_where(column(Column::Caller).equals(("requested", "caller")))
        .and_where(column(Column::Key).equals(("requested", "key")))
        .take();
    let known = Query::select()
        .column(ValuesTable::POSITION)
        .from_subquery(requested, "requested")
        .and_where(subquery(row).is_not_null())
        .take();
    let rows = connection.query_all(&known).await?;
    ValuesTable::by_position(keys, &rows, |_| Ok(()))
}
