//! Storing answers.

use entity::idempotency_keys::{Column, Entity, Model};
use sea_orm::{
    ConnectionTrait, EntityTrait, IntoActiveModel,
    sea_query::{Expr, Query},
};

use super::read::find_or_expire;
use crate::{
    db::{Constraint, OnConstraint, Transaction, ValuesTable},
    error::Error,
    services::now,
};

const KEY: Constraint = Constraint::unique(
    "idempotency_keys_pkey",
    "idempotency_keys.caller, idempotency_keys.key",
);

/// Stores `row`.
///
/// # Errors
/// [`Error::IdempotencyKeyInUse`] if the key has an answer already. PostgreSQL waits for a transaction that
/// is about to store the key.
pub(super) async fn store(transaction: &Transaction, row: Model) -> Result<(), Error> {
    let key = (row.caller, row.key.clone());
    if find_or_expire(transaction, &key).await?.is_some() {
        return Err(Error::IdempotencyKeyInUse);
    }
    let insert = Entity::insert(row.into_active_model());
    let inserted = insert.exec_without_returning(transaction).await;
    inserted.on_constraint([(KEY, Error::IdempotencyKeyInUse)])?;
    Ok(())
}

/// Stores `rows`, which have a caller and a body, by one statement. The transaction has looked for their
/// keys.
///
/// # Errors
/// [`Error::TryAgain`] if a key has an answer nevertheless. PostgreSQL waits for a transaction that is about
/// to store the key.
pub(super) async fn store_all(
    transaction: &Transaction,
    mut rows: Vec<Model>,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    // All transactions lock keys in this order, so that they cannot deadlock.
    rows.sort_by(|one, other| (one.caller, &one.key).cmp(&(other.caller, &other.key)));
    let body = |row: &mut Model| row.body.take().unwrap_or_default();
    let bodies: Vec<_> = rows.iter_mut().map(body).collect();
    let values = ValuesTable::new()
        .column("caller", rows.iter().map(|row| row.caller))
        .column("key", rows.iter().map(|row| row.key.clone()))
        .column("status", rows.iter().map(|row| row.status))
        .column("hash", rows.iter().map(|row| row.request_hash.clone()))
        .column("headers", rows.iter().map(|row| row.headers.clone()))
        .column("body", bodies);
    // Both databases insert in the order of the values.
    let select = Query::select()
        .columns(["caller", "key", "status", "hash", "headers", "body"])
        .expr(Expr::value(now()))
        .from_subquery(values.select(transaction.get_database_backend()), "rows")
        .take();
    let insert = Query::insert()
        .into_table(Entity)
        .columns([
            Column::Caller,
            Column::Key,
            Column::Status,
            Column::RequestHash,
            Column::Headers,
            Column::Body,
            Column::CreatedAt,
        ])
        .select_from(select)
        .map_err(Error::internal)?
        .take();
    let again = "another server has stored an answer with the same key";
    let inserted = transaction.execute(&insert).await;
    inserted.on_constraint([(KEY, Error::try_again(again))])?;
    Ok(())
}
