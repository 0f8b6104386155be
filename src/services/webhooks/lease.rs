//! Leases of webhooks: one server at a time delivers to an endpoint.

use entity::{
    users,
    values::{UserId, WebhookId},
    webhook_deliveries as deliveries,
    webhooks::{Column, Entity, Model},
};
use rand::distr::{Alphanumeric, SampleString};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter,
    sea_query::{
        CaseStatement, Expr, ExprTrait, LockBehavior, LockType, Order, Query, SelectStatement,
    },
};
use time::{Duration, OffsetDateTime};

use super::find::{reader_of, roles};
use crate::{
    db::{Db, First},
    error::Error,
    services::{events::Reader, now},
};

/// Time without a sign of life of the server after which another one delivers. Longer than an attempt.
const LEASE: Duration = Duration::seconds(30);
/// Letters and digits of the name of a lease: 95 bits.
const NAME_LENGTH: usize = 16;

/// A webhook that this server delivers to, with the reader for whom it gets events.
#[derive(Debug)]
pub struct Leased {
    pub(super) webhook: Model,
    pub(super) reader: Reader,
    /// Proves the lease.
    pub(super) name: String,
}

impl Leased {
    /// The webhook, and its owner.
    #[must_use]
    pub fn key(&self) -> (WebhookId, UserId) {
        (self.webhook.id, self.webhook.user_id)
    }
}

/// The end of a lease that begins or is renewed now.
pub(super) fn leased_until() -> OffsetDateTime {
    now() + LEASE
}

/// The webhook `id`, if it has the lease `name`. A change of the webhook ends the lease, and so does another server
/// that takes over after its time.
pub(super) fn held(id: WebhookId, name: &str) -> Condition {
    Condition::all()
        .add(Column::Id.eq(id))
        .add(Column::Lease.eq(name))
}

/// The webhooks that this process must not lease.
#[derive(Debug, Default)]
pub struct Busy {
    /// Webhooks whose turns have not ended. A turn whose lease was ended may still wait for an answer.
    pub webhooks: Vec<WebhookId>,
    /// Users who have their share of the turns.
    pub users: Vec<UserId>,
}

/// Leases up to `max` webhooks that have something to do, those that have waited for longest first, except for
/// those that are `busy`.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn lease(db: &Db, max: usize, busy: &Busy) -> Result<Vec<Leased>, Error> {
    if max == 0 {
        return Ok(Vec::new());
    }
    let max = u64::try_from(max).unwrap_or(u64::MAX);
    // A look first, because a write takes a turn of SQLite's writer.
    let some = Entity::find().filter(Column::Id.in_subquery(due(1, busy)));
    if some.first(db.read()).await?.is_none() {
        return Ok(Vec::new());
    }
    let name = &Alphanumeric.sample_string(&mut rand::rng(), NAME_LENGTH);
    let rows = db
        .write(|transaction| async move {
            let due = due(max, busy)
                .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                .take();
            let update = Entity::update_many()
                .col_expr(Column::Lease, Expr::value(name.as_str()))
                .col_expr(Column::LeasedUntil, Expr::value(leased_until()))
                .filter(Column::Id.in_subquery(due));
            Ok(update.exec_with_returning(&transaction).await?)
        })
        .await?;
    let roles = roles(db, &rows).await?;
    let leased = |webhook: Model| {
        // Without a role, the account was deleted meanwhile, and the webhook with it.
        let reader = reader_of(&webhook, *roles.get(&webhook.user_id)?);
        let name = name.clone();
        Some(Leased {
            webhook,
            reader,
            name,
        })
    };
    Ok(rows.into_iter().filter_map(leased).collect())
}

/// The webhooks that have something to do and no lease.
fn due(max: u64, busy: &Busy) -> SelectStatement {
    let now = now();
    let active = Query::select()
        .column(users::Column::Id)
        .from(users::Entity)
        .and_where(users::Column::SuspendedAt.is_null())
        .and_where(users::Column::DeletedAt.is_null())
        .take();
    Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::NextAt.lte(now))
        .and_where(Column::DisabledReason.is_null())
        .cond_where(
            Condition::any()
                .add(Column::LeasedUntil.is_null())
                .add(Column::LeasedUntil.lt(now)),
        )
        .and_where(Column::UserId.in_subquery(active))
        .and_where(Column::Id.is_not_in(busy.webhooks.iter().copied()))
        .and_where(Column::UserId.is_not_in(busy.users.iter().copied()))
        .order_by(Column::NextAt, Order::Asc)
        .limit(max)
        .take()
}

/// Ends a lease. The webhook has something to do again at `paused_until`, if that is set; at once, if it has
/// more to get and `takes_new`; or when a delivery is to be tried again.
pub(super) async fn release(db: &Db, leased: &Leased, takes_new: bool) -> Result<(), Error> {
    let Leased { webhook, name, .. } = leased;
    let (id, delivered) = (webhook.id, webhook.delivered);
    // A pause that has ended must not make the webhook due again at once.
    let paused_until = webhook.paused_until.filter(|until| *until > now());
    let retry = Query::select()
        .expr(deliveries::Column::NextAttemptAt.min())
        .from(deliveries::Entity)
        .and_where(deliveries::Column::WebhookId.eq(id))
        .take();
    let retry = &Expr::from(retry);
    db.write(|transaction| async move {
        let next_at = match paused_until {
            Some(until) => Expr::value(until),
            None if !takes_new => retry.clone(),
            None => CaseStatement::new()
                .case(Expr::col(Column::Wanted).gt(delivered), Expr::value(now()))
                .finally(retry.clone())
                .into(),
        };
        Entity::update_many()
            .col_expr(Column::Lease, Expr::value(None::<String>))
            .col_expr(Column::LeasedUntil, Expr::value(None::<OffsetDateTime>))
            .col_expr(Column::Delivered, Expr::value(delivered))
            .col_expr(Column::NextAt, next_at)
            .filter(held(id, name))
            .exec(&transaction)
            .await?;
        Ok(())
    })
    .await
}

/// Whether the lease has not ended.
pub(super) async fn is_held(db: &Db, leased: &Leased) -> Result<bool, Error> {
    let webhook = Entity::find().filter(held(leased.webhook.id, &leased.name));
    Ok(webhook.first(db.read()).await?.is_some())
}

/// Stores how far the log was read, and renews the lease. Returns false if the lease has ended.
pub(super) async fn renew(db: &Db, leased: &Leased) -> Result<bool, Error> {
    let Leased { webhook, name, .. } = leased;
    db.write_a_step(|transaction| async move {
        let updated = Entity::update_many()
            .col_expr(Column::LeasedUntil, Expr::value(leased_until()))
            .col_expr(Column::Delivered, Expr::value(webhook.delivered))
            .filter(held(webhook.id, name))
            .exec(&transaction)
            .await?;
        Ok(updated.rows_affected > 0)
    })
    .await
}
