//! Storing answers.

use entity::idempotency_keys::{Column, Entity, Model};
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, OnConflict, Order, Query},
};

use super::cutoff;
use crate::{
    db::{Transaction, ValuesTable},
    error::Error,
    services::now,
};

/// The columns of the values, in their order.
const VALUES: [Column; 8] = [
    Column::Caller,
    Column::Key,
    Column::UserId,
    Column::Route,
    Column::RequestHash,
    Column::Status,
    Column::Headers,
    Column::Body,
];
const CREATED_AT: [Column; 1] = [Column::CreatedAt];

/// Stores `rows` by one statement. A row replaces an expired one with its key.
///
/// # Errors
/// [`Error::IdempotencyKeyInUse`] if a key has an answer already. The transaction must be rolled back
/// then. PostgreSQL waits for a transaction that is about to store the key.
pub(in crate::services) async fn store_all(
    transaction: &Transaction,
    mut rows: Vec<Model>,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    // All transactions lock keys in this order, so that they cannot deadlock.
    rows.sort_by(|one, other| (one.caller, &one.key).cmp(&(other.caller, &other.key)));
    let count = rows.len();
    let values = ValuesTable::numbered(count)
        .column("caller", rows.iter().map(|row| row.caller))
        .column("key", rows.iter().map(|row| row.key.clone()))
        .column("user_id", rows.iter().map(|row| row.user_id))
        .column("route", rows.iter().map(|row| row.route.clone()))
        .column(
            "request_hash",
            rows.iter().map(|row| row.request_hash.clone()),
        )
        .column("status", rows.iter().map(|row| row.status))
        .column("headers", rows.iter().map(|row| row.headers.clone()))
        .nullable_column("body", rows.iter_mut().map(|row| row.body.take()));
    let select = Query::select()
        .columns(VALUES)
        .expr(Expr::value(now()))
        .from_subquery(values.select(transaction.get_database_backend()), "rows")
        .order_by(ValuesTable::POSITION, Order::Asc)
        .take();
    let replace = OnConflict::columns([Column::Caller, Column::Key])
        .update_columns(VALUES.into_iter().skip(2).chain(CREATED_AT))
        .action_and_where(Expr::col((Entity, Column::CreatedAt)).lte(cutoff()))
        .to_owned();
    let insert = Query::insert()
        .into_table(Entity)
        .columns(VALUES.into_iter().chain(CREATED_AT))
        .select_from(select)
        .map_err(Error::internal)?
        .on_conflict(replace)
        .returning_col(Column::Caller)
        .take();
    if transaction.query_all(&insert).await?.len() == count {
        Ok(())
    } else {
        Err(Error::IdempotencyKeyInUse)
    }
}
