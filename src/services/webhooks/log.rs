//! The log of deliveries, and delivering again.

use entity::{
    values::{EventPosition, Limit, UserId, WebhookId},
    webhook_deliveries::{Column, DeliveryState, Entity, Model},
    webhooks,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::{
    Webhooks, get,
    manage::{last_position, lock},
};
use crate::{
    db::{Db, First},
    error::Error,
    services::{
        events::{Extent, extent},
        now,
    },
};

/// A page of the log of deliveries.
#[derive(Debug)]
pub struct Deliveries {
    /// Newest event first.
    pub items: Vec<Model>,
    /// The position before which the next page begins, if there may be one.
    pub next: Option<EventPosition>,
}

/// Deliveries of webhook `id` of user `user_id`, of events before position `before`.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn deliveries(
    db: &Db,
    user_id: UserId,
    id: WebhookId,
    before: Option<EventPosition>,
    limit: Limit,
) -> Result<Deliveries, Error> {
    get(db, user_id, id).await?;
    let mut rows = Entity::find()
        .filter(Column::WebhookId.eq(id))
        .order_by_desc(Column::Position)
        .limit(limit.get());
    if let Some(before) = before {
        rows = rows.filter(Column::Position.lt(before));
    }
    let items = rows.all(&db.read_list()).await?;
    let is_full = items.len() as u64 == limit.get();
    let last = items.last().map(|delivery| delivery.position);
    Ok(Deliveries {
        items,
        next: last.filter(|_| is_full),
    })
}

/// Delivers the event at `position` to webhook `id` of user `user_id` again, soon, with all attempts.
///
/// # Errors
/// [`Error::NotFound`] if there is no such delivery; [`Error::WebhookDisabled`].
pub async fn redeliver_one(
    db: &Db,
    context: &Webhooks,
    user_id: UserId,
    id: WebhookId,
    position: EventPosition,
) -> Result<Model, Error> {
    let delivery = db
        .write(|transaction| async move {
            let webhook = lock(&transaction, user_id, id).await?;
            check_enabled(&webhook)?;
            let delivery = Entity::find_by_id((id, position))
                .first(&transaction)
                .await?;
            let delivery = delivery.ok_or_else(|| Error::not_found("delivery", position.get()))?;
            let mut delivery = delivery.into_active_model();
            delivery.state = Set(DeliveryState::Pending);
            delivery.attempts = Set(0);
            delivery.next_attempt_at = Set(Some(now()));
            let delivery = delivery.update(&transaction).await?;
            work_now(webhook).update(&transaction).await?;
            Ok(delivery)
        })
        .await?;
    context.work.notify_one();
    Ok(delivery)
}

/// Delivers the events after position `after` to webhook `id` of user `user_id` again. 0 stands before the
/// oldest event that is kept.
///
/// # Errors
/// [`Error::NotFound`], [`Error::WebhookDisabled`]; [`Error::EventsExpired`] if events after the position are
/// no longer kept, or if the log does not have it.
pub async fn redeliver(
    db: &Db,
    context: &Webhooks,
    user_id: UserId,
    id: WebhookId,
    after: EventPosition,
) -> Result<webhooks::Model, Error> {
    let Extent { before_first, last } = extent(db).await?;
    let after = match after {
        EventPosition::START => before_first,
        after if after < before_first || after > last => {
            return Err(Error::EventsExpired { after, last });
        }
        after => after,
    };
    let webhook = db
        .write(|transaction| async move {
            let webhook = lock(&transaction, user_id, id).await?;
            check_enabled(&webhook)?;
            let wanted = Ord::max(last_position(&transaction).await?, webhook.wanted);
            let mut webhook = work_now(webhook);
            webhook.delivered = Set(after);
            webhook.wanted = Set(wanted);
            Ok(webhook.update(&transaction).await?)
        })
        .await?;
    context.work.notify_one();
    Ok(webhook)
}

fn check_enabled(webhook: &webhooks::Model) -> Result<(), Error> {
    match webhook.disabled_at {
        Some(_) => Err(Error::WebhookDisabled { id: webhook.id }),
        None => Ok(()),
    }
}

/// The webhook has something to do. The server that delivers reads it again.
fn work_now(webhook: webhooks::Model) -> webhooks::ActiveModel {
    let mut webhook: webhooks::ActiveModel = webhook.into();
    webhook.next_at = Set(Some(now()));
    webhook.paused_until = Set(None);
    (webhook.lease, webhook.leased_until) = (Set(None), Set(None));
    webhook
}
