//! Reading stored answers.

use entity::{
    idempotency_keys::{Column, Entity, Model},
    values::{IdempotencyKey, KeyScope},
};
use sea_orm::{
    ConnectionTrait, EntityTrait, FromQueryResult, QueryTrait,
    sea_query::{Expr, ExprTrait, JoinType},
};

use super::{KeyedRequest, cutoff};
use crate::{
    db::{Autocommit, Db, Found, SharedRead, ValuesTable},
    error::Error,
};

/// The row of the key of `request`. Concurrent requests share a query.
pub(super) async fn find(db: &Db, request: &KeyedRequest) -> Result<Option<Model>, Error> {
    let key = (request.scope, request.key.clone());
    let row = db.shared_read::<Answers>((), key).await?;
    Ok(row.filter(|row| row.created_at > cutoff()))
}

struct Answers;

impl SharedRead for Answers {
    type Parameters = ();
    type Key = (KeyScope, IdempotencyKey);
    type Value = Model;

    async fn read(connection: Autocommit, (): (), keys: Vec<Self::Key>) -> Found<Self::Key, Model> {
        let requested = ValuesTable::numbered(keys.len())
            .column("caller", keys.iter().map(|(caller, _)| *caller))
            .column("key", keys.iter().map(|(_, key)| key.clone()));
        let column = |column: Column| Expr::col((Entity, column));
        let is_requested = column(Column::Caller)
            .equals(("requested", "caller"))
            .and(column(Column::Key).equals(("requested", "key")));
        let backend = connection.get_database_backend();
        let mut select = Entity::find();
        QueryTrait::query(&mut select)
            .column(("requested", ValuesTable::POSITION))
            .join_subquery(
                JoinType::InnerJoin,
                requested.select(backend),
                "requested",
                is_requested,
            );
        let rows = connection.query_all_raw(select.build(backend)).await?;
        ValuesTable::by_position(&keys, &rows, |row| Model::from_query_result(row, ""))
    }
}
