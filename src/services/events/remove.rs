//! Removes old events in small steps.

use entity::{
    events::{Column, Entity},
    values::EventPosition,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoSimpleExpr, QueryFilter,
    sea_query::{Expr, ExprTrait, Order, Query},
};
use time::Duration;

use crate::{
    db::{Db, comparable},
    error::Error,
    services::now,
};

/// Maximum number of events that one step removes.
const STEP: u64 = 1_000;

/// Removes the events before position `before` that are older than `keep`, oldest first, up to the first that
/// is not. Keeps the newest of those before `before` in any case, so that the log tells how far it was read. Returns
/// the number of removed events.
///
/// # Errors
/// [`Error::Unavailable`]. The next call continues.
pub async fn delete_expired(db: &Db, keep: Duration, before: EventPosition) -> Result<u64, Error> {
    let Some(last) = newest(db, before).await? else {
        return Ok(0);
    };
    let backend = db.read().get_database_backend();
    let (at, cutoff) = comparable(backend, Column::At.into_simple_expr(), now() - keep);
    let is_old = &at.lt(cutoff);
    let mut total = 0;
    loop {
        let deleted = db
            .write_a_step(|transaction| async move {
                // By the primary key. Times do not ascend exactly, and a gap would be a lost event.
                let oldest = Query::select()
                    .column(Column::Position)
                    .expr_as(is_old.clone(), "is_old")
                    .from(Entity)
                    .and_where(Expr::col(Column::Position).lt(last))
                    .order_by(Column::Position, Order::Asc)
                    .limit(STEP)
                    .take();
                let rows = transaction.query_all(&oldest).await?;
                let mut end = EventPosition::START;
                for row in rows {
                    if !row.try_get::<bool>("", "is_old")? {
                        break;
                    }
                    end = row.try_get("", "position")?;
                }
                let delete = Entity::delete_many().filter(Column::Position.lte(end));
                Ok(delete.exec(&transaction).await?.rows_affected)
            })
            .await?;
        total += deleted;
        if deleted < STEP {
            return Ok(total);
        }
    }
}

/// The position of the newest event up to `position`. It is kept, and `position` itself may be a gap.
async fn newest(db: &Db, position: EventPosition) -> Result<Option<EventPosition>, Error> {
    let newest = Query::select()
        .column(Column::Position)
        .from(Entity)
        .and_where(Expr::col(Column::Position).lte(position))
        .order_by(Column::Position, Order::Desc)
        .limit(1)
        .take();
    let row = db.read().query_one(&newest).await?;
    Ok(row.map(|row| row.try_get("", "position")).transpose()?)
}
