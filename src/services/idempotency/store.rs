//! Storing answers.

use entity::idempotency_keys::{Column, Entity, Model};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    sea_query::{Expr, OnConflict, Query},
};
use time::OffsetDateTime;

use super::cutoff;
use crate::{
    db::{Transaction, ValuesTable},
    error::Error,
    services::now,
};

/// Stores `row`.
///
/// # Errors
/// [`Error::IdempotencyKeyInUse`] if the key has an answer already. PostgreSQL waits for a transaction that
/// is about to store the key.
pub(super) async fn store(transaction: &Transaction, row: Model) -> Result<(), Error> {
    let insert = Entity::insert(row.into_active_model()).on_conflict(replace_expired(cutoff()));
    match insert.exec_without_returning(transaction).await? {
        0 => Err(Error::IdempotencyKeyInUse),
        _ => Ok(()),
    }
}

/// Stores `rows`, which have a caller and a body, by one statement. They replace answers from before `cutoff`.
///
/// # Errors
/// [`Error::TryAgain`] if a key has another answer. PostgreSQL waits for a transaction that is about to
/// store the key.
pub(super) async fn store_all(
    transaction: &Transaction,
    mut rows: Vec<Model>,
    cutoff: OffsetDateTime,
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
        // Without a condition, SQLite takes ON CONFLICT for that of a join.
        .and_where(Expr::value(true))
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
        .on_conflict(replace_expired(cutoff))
        .take();
    let stored = transaction.execute(&insert).await?.rows_affected();
    if usize::try_from(stored) != Ok(rows.len()) {
        let again = "another server has stored an answer with the same key";
        return Err(Error::try_again(again));
    }
    Ok(())
}

/// Replaces an answer from before `cutoff`, and keeps any other.
fn replace_expired(cutoff: OffsetDateTime) -> OnConflict {
    OnConflict::columns([Column::Caller, Column::Key])
        .update_columns([
            Column::UserId,
            Column::Status,
            Column::RequestHash,
            Column::Headers,
            Column::Body,
            Column::CreatedAt,
        ])
        .action_and_where(Column::CreatedAt.lte(cutoff))
        .to_owned()
}
