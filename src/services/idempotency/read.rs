//! Reading stored answers.

use entity::{
    idempotency_keys::{Column, Entity, Model},
    values::{IdempotencyKey, KeyScope},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{KeyedRequest, cutoff};
use crate::{
    db::{Autocommit, Db, First, Found, SharedRead, ValuesTable},
    error::Error,
};

/// The row of the key of `request`. Most keys are new: concurrent requests share the query that tells.
pub(super) async fn find(db: &Db, request: &KeyedRequest) -> Result<Option<Model>, Error> {
    let key = (request.scope, request.key.clone());
    if db.shared_read::<Known>((), key).await?.is_none() {
        return Ok(None);
    }
    let row = Entity::find()
        .filter(Column::Caller.eq(request.scope))
        .filter(Column::Key.eq(request.key.clone()))
        .first(db.read())
        .await?;
    Ok(row.filter(|row| row.created_at > cutoff()))
}

/// The keys that have a row.
struct Known;

impl SharedRead for Known {
    type Parameters = ();
    type Key = (KeyScope, IdempotencyKey);
    type Value = ();

    async fn read(connection: Autocommit, (): (), keys: Vec<Self::Key>) -> Found<Self::Key, ()> {
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
            .and_where(Expr::SubQuery(None, Box::new(row.into())).is_not_null())
            .take();
        let rows = connection.query_all(&known).await?;
        ValuesTable::by_position(&keys, &rows, |_| Ok(()))
    }
}
