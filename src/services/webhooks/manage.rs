//! Creating, reading, changing and deleting webhooks.

use entity::{
    events, sessions,
    users::Role,
    values::{
        EventKinds, EventPosition, PostId, SessionId, Tag, UserId, WebhookId, WebhookSecret,
        WebhookUrl,
    },
    webhook_progress,
    webhooks::{ActiveModel, Column, DisabledReason, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Query},
};
use time::{Duration, OffsetDateTime};

use super::{Webhooks, find::searched};
use crate::{
    db::{Constraint, Db, First, OnConstraint, Transaction},
    error::Error,
    services::{events::post_with_owner, idempotency::Keyed, now, users},
};

/// Maximum number of webhooks of a user.
pub const MAX_WEBHOOKS: u64 = 10;
/// Maximum number of enabled webhooks in all: each search of the log reads all of them.
const MAX_IN_ALL: u64 = 10_000;
/// The time for which the key before a rotation signs too.
const ROTATION: Duration = Duration::hours(24);

/// The user was deleted meanwhile.
const USER: Constraint = Constraint::foreign_key("webhooks_user_id_fkey");

/// The events that an endpoint gets.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// `None` for every kind.
    pub kinds: Option<EventKinds>,
    /// Only events of this user and of posts by this user.
    pub owner_id: Option<UserId>,
    /// Only events of this post.
    pub post_id: Option<PostId>,
    /// Only events of posts with this tag.
    pub tag: Option<Tag>,
    /// Whether events of posts have the post.
    pub includes_post: bool,
}

/// A new webhook.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// The owner.
    pub user_id: UserId,
    /// The session of the request.
    pub session_id: SessionId,
    /// Whether the session has the rights of an admin.
    pub is_admin: bool,
    /// The URL of the endpoint.
    pub url: WebhookUrl,
    /// What it gets.
    pub selection: Selection,
    /// Whether it gets everything, which only an admin may have.
    pub sees_all: bool,
}

/// What changes in a webhook; `None` for what stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The URL of the endpoint.
    pub url: Option<WebhookUrl>,
    /// See [`Selection`]. `Some(None)` removes the filter.
    pub kinds: Option<Option<EventKinds>>,
    /// See `kinds`.
    pub owner_id: Option<Option<UserId>>,
    /// See `kinds`.
    pub post_id: Option<Option<PostId>>,
    /// See `kinds`.
    pub tag: Option<Option<Tag>>,
    /// Whether events of posts have the post.
    pub includes_post: Option<bool>,
    /// Whether the endpoint gets anything.
    pub enabled: Option<bool>,
}

/// Creates a webhook. Its endpoint gets the events from now on. Stores the answer of `keyed`, which must not
/// have the secret.
///
/// # Errors
/// [`Error::WebhookUrlRefused`]; [`Error::RoleNeeded`] if only an admin may create it; [`Error::WebhookLimit`] if
/// the user has 10, or all users have 10,000 that are enabled; [`Error::InvalidToken`] if the session has ended;
/// [`Error::IdempotencyKeyInUse`].
pub async fn create(
    db: &Db,
    webhooks: &Webhooks,
    new: NewWebhook,
    keyed: Option<&Keyed<Model>>,
) -> Result<Model, Error> {
    if new.sees_all && !new.is_admin {
        return Err(Error::RoleNeeded { role: Role::Admin });
    }
    check(webhooks, &new.url)?;
    let post_owner_id = owner(db, new.user_id, new.selection.post_id).await?;
    let new = &new;
    let row = db
        .write(|transaction| async move {
            let row = create_in(&transaction, new, post_owner_id).await?;
            if let Some(keyed) = keyed {
                keyed.store(&transaction, new.user_id, &row).await?;
            }
            Ok(row)
        })
        .await?;
    webhooks.changed.notify_one();
    Ok(row)
}

async fn create_in(
    transaction: &Transaction,
    new: &NewWebhook,
    post_owner_id: Option<UserId>,
) -> Result<Model, Error> {
    let user_id = new.user_id;
    // The lock makes the first count below exact and keeps the session alive until the commit.
    users::lock_user(transaction, user_id).await?;
    let session = sessions::Entity::find().filter(sessions::Column::Id.eq(new.session_id));
    let session = session.lock_shared().first(transaction).await?;
    session.ok_or(Error::InvalidToken)?;
    if of_user(user_id).count(transaction).await? >= MAX_WEBHOOKS {
        return Err(Error::WebhookLimit { max: MAX_WEBHOOKS });
    }
    check_total(transaction).await?;
    let last = last_position(transaction).await?;
    let Selection {
        kinds,
        owner_id,
        post_id,
        tag,
        includes_post,
    } = new.selection.clone();
    let row = ActiveModel {
        user_id: Set(user_id),
        url: Set(new.url.clone()),
        kinds: Set(kinds),
        owner_id: Set(owner_id),
        post_id: Set(post_id),
        post_owner_id: Set(post_owner_id),
        tag: Set(tag),
        includes_post: Set(includes_post),
        sees_all: Set(new.sees_all),
        secret: Set(WebhookSecret::random()),
        created_at: Set(now()),
        delivered: Set(last),
        wanted: Set(last),
        failures: Set(0),
        ..Default::default()
    };
    let inserted = row.insert(transaction).await;
    inserted.on_constraint([(USER, Error::InvalidToken)])
}

/// Checks that another webhook may be enabled.
async fn check_total(transaction: &Transaction) -> Result<(), Error> {
    let enabled = Entity::find().filter(Column::DisabledReason.is_null());
    if enabled.count(transaction).await? >= MAX_IN_ALL {
        return Err(Error::WebhookLimit { max: MAX_IN_ALL });
    }
    Ok(())
}

/// Disables the webhooks of user `user_id`, whose password has changed: someone else may have created them.
pub(in crate::services) async fn disable_all_in(
    transaction: &Transaction,
    user_id: UserId,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::DisabledAt, Expr::value(now()))
        .col_expr(
            Column::DisabledReason,
            Expr::value(DisabledReason::Password),
        )
        .col_expr(Column::Lease, Expr::value(None::<String>))
        .col_expr(Column::LeasedUntil, Expr::value(None::<OffsetDateTime>))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::DisabledReason.is_null())
        .exec(transaction)
        .await?;
    Ok(())
}

/// The last position of the event log.
pub(super) async fn last_position(transaction: &Transaction) -> Result<EventPosition, Error> {
    let last = Expr::col(events::Column::Position).max();
    let last = Query::select()
        .expr_as(last.if_null(EventPosition::START), "last")
        .from(events::Entity)
        .take();
    let row = transaction.query_one(&last).await?;
    Ok(row.map_or(Ok(EventPosition::START), |row| row.try_get("", "last"))?)
}

/// The owner of post `id`, if user `viewer` can see it.
async fn owner(db: &Db, viewer: UserId, id: Option<PostId>) -> Result<Option<UserId>, Error> {
    match id {
        Some(id) => Ok(post_with_owner(db, Some(viewer), id).await?.1),
        None => Ok(None),
    }
}

fn of_user(user_id: UserId) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user_id))
}

/// The webhooks of user `user_id`, newest first.
pub async fn list(db: &Db, user_id: UserId) -> Result<Vec<Model>, Error> {
    let webhooks = of_user(user_id).order_by_desc(Column::Id);
    Ok(webhooks.all(&db.read_list()).await?)
}

/// Webhook `id` of user `user_id`.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(db: &Db, user_id: UserId, id: WebhookId) -> Result<Model, Error> {
    let webhook = of_user(user_id).filter(Column::Id.eq(id));
    let webhook = webhook.first(db.read()).await?;
    webhook.ok_or_else(|| Error::not_found("webhook", id.get()))
}

/// Reads webhook `id` of user `user_id` and locks it until `transaction` ends.
pub(super) async fn lock(
    transaction: &Transaction,
    user_id: UserId,
    id: WebhookId,
) -> Result<Model, Error> {
    let webhook = of_user(user_id).filter(Column::Id.eq(id)).lock_exclusive();
    let webhook = webhook.first(transaction).await?;
    webhook.ok_or_else(|| Error::not_found("webhook", id.get()))
}

/// Checks a URL by the rules of the operator.
fn check(webhooks: &Webhooks, url: &WebhookUrl) -> Result<(), Error> {
    let checked = webhooks.sender.policy().check(url);
    checked.map_err(|invalid| Error::WebhookUrlRefused { invalid })
}

/// Changes webhook `id` of user `user_id`. If that enables it, its endpoint gets what it has missed.
///
/// # Errors
/// [`Error::WebhookUrlRefused`], [`Error::NotFound`]; [`Error::WebhookLimit`] if it is to be enabled, and 10,000 are.
pub async fn update(
    db: &Db,
    webhooks: &Webhooks,
    user_id: UserId,
    id: WebhookId,
    changes: Changes,
) -> Result<Model, Error> {
    if let Some(url) = &changes.url {
        check(webhooks, url)?;
    }
    let post_owner_id = owner(db, user_id, changes.post_id.flatten()).await?;
    let changes = &changes;
    let row = db
        .write(|transaction| async move {
            let old = lock(&transaction, user_id, id).await?;
            let mut new: ActiveModel = old.clone().into();
            let Changes {
                url,
                kinds,
                owner_id,
                post_id,
                tag,
                includes_post,
                enabled,
            } = changes.clone();
            if let Some(url) = url {
                new.url = Set(url);
            }
            if let Some(kinds) = kinds {
                new.kinds = Set(kinds);
            }
            if let Some(owner_id) = owner_id {
                new.owner_id = Set(owner_id);
            }
            if let Some(post_id) = post_id {
                (new.post_id, new.post_owner_id) = (Set(post_id), Set(post_owner_id));
            }
            if let Some(tag) = tag {
                new.tag = Set(tag);
            }
            if let Some(includes_post) = includes_post {
                new.includes_post = Set(includes_post);
            }
            match enabled {
                Some(false) if old.disabled_reason.is_none() => {
                    new.delivered = Set(searched(&transaction, &old).await?);
                    new.disabled_at = Set(Some(now()));
                    new.disabled_reason = Set(Some(DisabledReason::Owner));
                }
                Some(true) if old.disabled_reason.is_some() => {
                    check_total(&transaction).await?;
                    // The search, which does not know this webhook yet, must not pass the position that is read here.
                    let progress = webhook_progress::Entity::find().lock_shared();
                    progress.first(&transaction).await?;
                    (new.disabled_at, new.disabled_reason) = (Set(None), Set(None));
                    (new.failures, new.failing_since) = (Set(0), Set(None));
                    new.paused_until = Set(None);
                    new.wanted = Set(Ord::max(last_position(&transaction).await?, old.wanted));
                    new.next_at = Set(Some(now()));
                }
                _ => {}
            }
            // The server that delivers to the old URL, or by the old rules, stops.
            (new.lease, new.leased_until) = (Set(None), Set(None));
            Ok(new.update(&transaction).await?)
        })
        .await?;
    webhooks.changed.notify_one();
    webhooks.work.notify_one();
    Ok(row)
}

/// Replaces the key of webhook `id` of user `user_id`. The key before it signs too for 24 hours.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn rotate_secret(
    db: &Db,
    user_id: UserId,
    id: WebhookId,
    keyed: Option<&Keyed<Model>>,
) -> Result<Model, Error> {
    db.write(|transaction| async move {
        let old = lock(&transaction, user_id, id).await?;
        let mut new: ActiveModel = old.clone().into();
        new.secret = Set(WebhookSecret::random());
        new.previous_secret = Set(Some(old.secret));
        new.previous_secret_until = Set(Some(now() + ROTATION));
        (new.lease, new.leased_until) = (Set(None), Set(None));
        let row = new.update(&transaction).await?;
        if let Some(keyed) = keyed {
            keyed.store(&transaction, user_id, &row).await?;
        }
        Ok(row)
    })
    .await
}

/// Deletes webhook `id` of user `user_id` with its deliveries. A request that is under way may still arrive.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(db: &Db, user_id: UserId, id: WebhookId) -> Result<(), Error> {
    let deleted = db
        .write(|transaction| async move {
            let delete = Entity::delete_many()
                .filter(Column::Id.eq(id))
                .filter(Column::UserId.eq(user_id));
            Ok(delete.exec(&transaction).await?.rows_affected)
        })
        .await?;
    if deleted == 0 {
        return Err(Error::not_found("webhook", id.get()));
    }
    Ok(())
}
