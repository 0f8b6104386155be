//! Records the outcome of an attempt.

use entity::{
    values::EventPosition,
    webhook_deliveries::{Column, DeliveryState, Entity, Model},
    webhooks::{self, DisabledReason},
};
use sea_orm::{
    EntityTrait, IntoActiveModel, Iterable, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use time::Duration;

use super::{
    Attempt,
    find::searched,
    lease::{Leased, held, leased_until},
    message::Ready,
    schedule,
};
use crate::{
    db::{Db, Transaction},
    error::Error,
    services::now,
};

/// Time without a success after which a webhook is disabled.
const MAX_FAILURE: Duration = Duration::days(5);
/// The status with which an endpoint says that it wants nothing more (RFC 9110, section 15.5.11).
const GONE: u16 = 410;

/// Stores the outcome of an attempt to deliver `message`, and what follows from it for the webhook. `before` is
/// the delivery before this attempt; `is_first` if it is a new one, and no other waits to be tried again. Returns false if the lease has ended; then nothing is stored, and the
/// event is delivered again.
pub(super) async fn record(
    db: &Db,
    leased: &mut Leased,
    position: EventPosition,
    message: Ready,
    before: Option<&Model>,
    is_first: bool,
    attempt: &Attempt,
) -> Result<bool, Error> {
    let at = now();
    let mut webhook = leased.webhook.clone();
    let attempts = before.map_or(0, |before| before.attempts) + 1;
    let is_gone = attempt.status == Some(GONE);
    let pause = schedule::pause(attempts, attempt.retry_after);
    let pause = pause.filter(|_| !attempt.is_success() && !is_gone);
    let state = match pause {
        _ if attempt.is_success() => DeliveryState::Succeeded,
        Some(_) => DeliveryState::Pending,
        None => DeliveryState::Failed,
    };
    if attempt.is_success() {
        (webhook.failures, webhook.failing_since) = (0, None);
        webhook.paused_until = None;
    } else {
        if is_first {
            // The failures before were those of deliveries that have ended.
            (webhook.failures, webhook.failing_since) = (0, None);
        }
        webhook.failures = webhook.failures.saturating_add(1);
        let since = *webhook.failing_since.get_or_insert(at);
        let pause = schedule::pause_of_endpoint(webhook.failures, attempt.retry_after);
        webhook.paused_until = pause.map(|pause| at + pause);
        let has_failed = at - since >= MAX_FAILURE;
        webhook.disabled_reason = match (is_gone, has_failed) {
            (true, _) => Some(DisabledReason::Gone),
            (false, true) => Some(DisabledReason::Failing),
            (false, false) => None,
        };
        webhook.disabled_at = webhook.disabled_reason.map(|_| at);
    }
    if before.is_none() {
        webhook.delivered = webhook.delivered.max(position);
    }
    let duration = i64::try_from(attempt.duration.as_millis());
    let delivery = Model {
        webhook_id: webhook.id,
        position,
        message_id: message.id,
        kind: message.kind,
        state,
        attempts,
        attempted_at: at,
        next_attempt_at: pause.map(|pause| at + pause),
        duration_ms: duration.unwrap_or(i64::MAX),
        status: attempt.status.map(i64::from),
        answer: attempt.answer.clone(),
        error: attempt.error.map(str::to_owned),
    };
    let stored = store(db, leased, &webhook, delivery).await?;
    if let Some(reason) = webhook.disabled_reason.filter(|_| stored) {
        tracing::info!(webhook = %webhook.id, ?reason, "a webhook was disabled");
    }
    leased.webhook = webhook;
    Ok(stored)
}

/// Stores that `before` is not delivered, because its event is no longer kept or visible.
pub(super) async fn withdraw(db: &Db, leased: &Leased, before: Model) -> Result<bool, Error> {
    let delivery = Model {
        state: DeliveryState::Withdrawn,
        next_attempt_at: None,
        ..before
    };
    store(db, leased, &leased.webhook, delivery).await
}

/// Stores `delivery` and the new state of its webhook, and renews the lease.
async fn store(
    db: &Db,
    leased: &Leased,
    webhook: &webhooks::Model,
    delivery: Model,
) -> Result<bool, Error> {
    let delivery = &delivery;
    // On SQLite a fast endpoint must not keep the requests of users from the writer.
    db.write_a_step(|transaction| async move {
        use webhooks::Column;
        let delivered = match webhook.disabled_at {
            Some(_) => searched(&transaction, webhook).await?,
            None => webhook.delivered,
        };
        let updated = webhooks::Entity::update_many()
            .col_expr(Column::Delivered, Expr::value(delivered))
            .col_expr(Column::Failures, Expr::value(webhook.failures))
            .col_expr(Column::FailingSince, Expr::value(webhook.failing_since))
            .col_expr(Column::PausedUntil, Expr::value(webhook.paused_until))
            .col_expr(Column::DisabledAt, Expr::value(webhook.disabled_at))
            .col_expr(Column::DisabledReason, Expr::value(webhook.disabled_reason))
            .col_expr(Column::LeasedUntil, Expr::value(leased_until()))
            .filter(held(webhook.id, &leased.name))
            .exec(&transaction)
            .await?;
        if updated.rows_affected == 0 {
            return Ok(false);
        }
        upsert(&transaction, delivery).await?;
        Ok(true)
    })
    .await
}

/// Adds `delivery` to the log, or replaces it there.
async fn upsert(transaction: &Transaction, delivery: &Model) -> Result<(), Error> {
    let key = [Column::WebhookId, Column::Position];
    let others =
        Column::iter().filter(|column| !matches!(column, Column::WebhookId | Column::Position));
    Entity::insert(delivery.clone().into_active_model())
        .on_conflict(OnConflict::columns(key).update_columns(others).to_owned())
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}
