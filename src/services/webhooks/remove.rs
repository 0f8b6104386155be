//! Removes old deliveries from their log.

use entity::{
    values::WebhookId,
    webhook_deliveries::{Column, Entity},
};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, Query},
};
use time::Duration;

use crate::{
    db::{Db, First},
    error::Error,
    services::now,
};

/// The time for which a delivery is kept.
const KEEP: Duration = Duration::days(30);
/// The deliveries of one webhook that are kept, besides those that are tried again.
const MAX_KEPT: u64 = 1_000;
/// Maximum number of rows that one transaction deletes.
const STEP: u64 = 500;

/// Deletes the deliveries with a last attempt more than 30 days ago, except for those that are tried again. Returns
/// their number.
///
/// # Errors
/// [`Error::Unavailable`]. The next call continues.
pub async fn delete_expired(db: &Db) -> Result<u64, Error> {
    let cutoff = now() - KEEP;
    let mut total = 0;
    loop {
        let deleted = db
            .write(|transaction| async move {
                let step = Query::select()
                    .columns([Column::WebhookId, Column::Position])
                    .from(Entity)
                    .and_where(Column::AttemptedAt.lt(cutoff))
                    .and_where(Column::NextAttemptAt.is_null())
                    .limit(STEP)
                    .take();
                let key = [Column::WebhookId, Column::Position].map(Expr::col);
                let delete = Entity::delete_many().filter(Expr::tuple(key).in_subquery(step));
                Ok(delete.exec(&transaction).await?.rows_affected)
            })
            .await?;
        total += deleted;
        if deleted < STEP {
            return Ok(total);
        }
    }
}

/// Deletes the oldest deliveries of `webhook`, if there are more than 1,000.
pub(super) async fn delete_beyond_limit(db: &Db, webhook: WebhookId) -> Result<(), Error> {
    let first_beyond = Entity::find()
        .filter(Column::WebhookId.eq(webhook))
        .order_by_desc(Column::Position)
        .offset(MAX_KEPT)
        .limit(1);
    let Some(first_beyond) = first_beyond.first(db.read()).await? else {
        return Ok(());
    };
    db.write(|transaction| async move {
        Entity::delete_many()
            .filter(Column::WebhookId.eq(webhook))
            .filter(Column::Position.lte(first_beyond.position))
            .filter(Column::NextAttemptAt.is_null())
            .exec(&transaction)
            .await?;
        Ok(())
    })
    .await
}
