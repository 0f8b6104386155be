//! Searches the event log for events for webhooks.

use std::collections::{HashMap, HashSet};

use entity::{
    users::{self, Role},
    values::{EventKinds, EventPosition, UserId, WebhookId},
    webhook_progress, webhooks,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{CaseStatement, Expr, ExprTrait, Query},
};

use tokio::task::yield_now;

use super::Webhooks;
use crate::{
    db::{Db, First, Transaction},
    error::Error,
    services::{
        events::{self, EventFilter, Extent, Reader, Viewer},
        now,
    },
};

/// Maximum number of events that are searched at once.
const ROWS: u64 = 500;
/// Webhooks that are compared with the events before other tasks of the thread run.
const YIELD: usize = 50;

/// The outcome of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// There may be more events.
    More,
    /// The end of the log is reached.
    End,
    /// No webhook is enabled.
    NoWebhooks,
}

/// Searches the next events of the log, and marks the webhooks that get one of them.
///
/// # Errors
/// [`Error::Unavailable`]. Nothing is lost, and the next call continues.
pub async fn find_work(db: &Db, context: &Webhooks) -> Result<Found, Error> {
    let Extent { before_first, last } = events::extent(db).await?;
    let position = position(db).await?;
    if position == last {
        return Ok(Found::End);
    }
    if position > last {
        // The log was replaced, as by a restored backup.
        move_on(db, position, last, Vec::new()).await?;
        return Ok(Found::More);
    }
    let page = if position < before_first {
        // Events were removed before they were searched. Each webhook finds that out for itself.
        None
    } else {
        Some(events::read(db.read(), position, last, EventKinds::ALL, ROWS).await?)
    };
    // Read after the events: a webhook that is missing here was created later and needs none of them.
    let webhooks = enabled(db).await?;
    if webhooks.is_empty() {
        move_on_without_webhooks(db, position, last).await?;
        return Ok(Found::NoWebhooks);
    }
    let end = page.as_ref().map_or(before_first, |page| page.end);
    let mut marked = Vec::new();
    for (index, (id, reader)) in webhooks.iter().enumerate() {
        if index % YIELD == 0 {
            yield_now().await;
        }
        let gets_some = page.as_ref().is_none_or(|page| {
            let mut events = page.events.iter();
            events.any(|event| reader.told(event).is_some())
        });
        if gets_some {
            marked.push(*id);
        }
    }
    if move_on(db, position, end, marked).await? {
        context.work.notify_one();
    }
    Ok(if end < last { Found::More } else { Found::End })
}

/// The webhooks that are enabled, with the readers for whom they get events. Those of suspended users are among
/// them: they get the events after the suspension.
async fn enabled(db: &Db) -> Result<Vec<(WebhookId, Reader)>, Error> {
    let is_enabled = webhooks::Column::DisabledReason.is_null();
    let webhooks = webhooks::Entity::find().filter(is_enabled);
    let webhooks = webhooks.all(db.read()).await?;
    let roles = roles(db, &webhooks).await?;
    let reader = |webhook: &webhooks::Model| {
        let role = roles.get(&webhook.user_id)?;
        Some((webhook.id, reader_of(webhook, *role)))
    };
    Ok(webhooks.iter().filter_map(reader).collect())
}

/// The roles of the owners of `webhooks`, who are not deleted.
pub(super) async fn roles(
    db: &Db,
    webhooks: &[webhooks::Model],
) -> Result<HashMap<UserId, Role>, Error> {
    let owners: HashSet<_> = webhooks.iter().map(|webhook| webhook.user_id).collect();
    let roles = users::Entity::find()
        .select_only()
        .columns([users::Column::Id, users::Column::Role])
        .filter(users::Column::Id.is_in(owners))
        .filter(users::Column::DeletedAt.is_null())
        .into_tuple::<(UserId, Role)>();
    Ok(roles.all(db.read()).await?.into_iter().collect())
}

/// The reader for whom the endpoint of `webhook`, whose owner has `role`, gets events.
pub(super) fn reader_of(webhook: &webhooks::Model, role: Role) -> Reader {
    let is_admin = role == Role::Admin;
    Reader {
        viewer: Viewer {
            user: Some(webhook.user_id),
            sees_account: true,
            is_admin,
            sees_all: webhook.sees_all && is_admin,
        },
        filter: EventFilter {
            kinds: webhook.kinds.unwrap_or(EventKinds::ALL),
            owner_id: webhook.owner_id,
            post: webhook.post_id.map(|id| (id, webhook.post_owner_id)),
            tag: webhook.tag.clone(),
        },
        with_posts: webhook.includes_post,
    }
}

async fn position(db: &Db) -> Result<EventPosition, Error> {
    let progress = webhook_progress::Entity::find().first(db.read()).await?;
    let progress = progress.ok_or_else(|| Error::internal("`webhook_progress` has no row"))?;
    Ok(progress.position)
}

/// Moves the position of the search from `from` to `to`; false if another process did so.
async fn swap(
    transaction: &Transaction,
    from: EventPosition,
    to: EventPosition,
    condition: Condition,
) -> Result<bool, Error> {
    let updated = webhook_progress::Entity::update_many()
        .col_expr(webhook_progress::Column::Position, Expr::value(to))
        .filter(webhook_progress::Column::Position.eq(from))
        .filter(condition)
        .exec(transaction)
        .await?;
    Ok(updated.rows_affected > 0)
}

/// Nobody gets events, so they need not be read. A webhook that is created meanwhile gets the events after
/// its creation, which come after `to`.
async fn move_on_without_webhooks(
    db: &Db,
    from: EventPosition,
    to: EventPosition,
) -> Result<(), Error> {
    let some = Query::select()
        .expr(Expr::val(1))
        .from(webhooks::Entity)
        .and_where(webhooks::Column::DisabledReason.is_null())
        .take();
    let none = &Condition::all().add(Expr::exists(some).not());
    db.write(|transaction| async move { swap(&transaction, from, to, none.clone()).await })
        .await?;
    Ok(())
}

/// Moves the position, and marks `webhooks`, which get events after `from` up to `to`. Returns whether any is marked.
async fn move_on(
    db: &Db,
    from: EventPosition,
    to: EventPosition,
    webhooks: Vec<WebhookId>,
) -> Result<bool, Error> {
    use ::entity::webhooks::Column::{Delivered, Id, NextAt, PausedUntil, Wanted};
    let marked = &webhooks;
    db.write(|transaction| async move {
        if !swap(&transaction, from, to, Condition::all()).await? {
            return Ok(false);
        }
        if marked.is_empty() {
            return Ok(false);
        }
        let now = now();
        let has_nothing = Condition::all()
            .add(Expr::col(Delivered).gte(Expr::col(Wanted)))
            .add(Expr::col(Delivered).lt(from));
        // What was searched before is not for a webhook that had nothing to get.
        let delivered = CaseStatement::new()
            .case(has_nothing, Expr::value(from))
            .finally(Expr::col(Delivered));
        let wanted = CaseStatement::new()
            .case(Expr::col(Wanted).lt(to), Expr::value(to))
            .finally(Expr::col(Wanted));
        let next_at = CaseStatement::new()
            .case(Expr::col(PausedUntil).gt(now), Expr::col(PausedUntil))
            // It keeps its place among those that wait.
            .case(Expr::col(NextAt).lte(now), Expr::col(NextAt))
            .finally(Expr::value(now));
        ::entity::webhooks::Entity::update_many()
            .col_expr(Delivered, delivered.into())
            .col_expr(Wanted, wanted.into())
            .col_expr(NextAt, next_at.into())
            .filter(Id.is_in(marked.iter().copied()))
            .exec(&transaction)
            .await?;
        Ok(true)
    })
    .await
}

/// The position from which `webhook` continues when it is enabled again: that of the search, if nothing before it
/// is for the webhook.
pub(super) async fn searched(
    transaction: &Transaction,
    webhook: &webhooks::Model,
) -> Result<EventPosition, Error> {
    let now = webhooks::Entity::find_by_id(webhook.id)
        .first(transaction)
        .await?;
    let wanted = now.map_or(webhook.wanted, |now| now.wanted);
    if webhook.delivered < wanted {
        return Ok(webhook.delivered);
    }
    let progress = webhook_progress::Entity::find().first(transaction).await?;
    let position = progress.map(|progress| progress.position);
    Ok(Ord::max(position.unwrap_or_default(), webhook.delivered))
}
