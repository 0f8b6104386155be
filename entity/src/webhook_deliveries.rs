//! The log of deliveries to webhooks.

use sea_orm::entity::prelude::*;

use crate::values::{EventPosition, WebhookId};

/// A row of `webhook_deliveries`: one event for one endpoint. It has no text of the event, which is read
/// again for each attempt.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_deliveries")]
pub struct Model {
    /// The webhook.
    #[sea_orm(primary_key, auto_increment = false)]
    pub webhook_id: WebhookId,
    /// The position of the event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: EventPosition,
    /// The header `webhook-id`, the same in each attempt.
    #[sea_orm(column_type = "Text")]
    pub message_id: String,
    /// The kind of the event, as the endpoint saw it at the last attempt, or `reset`.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// Whether it has succeeded.
    pub state: DeliveryState,
    /// The number of attempts.
    pub attempts: i64,
    /// The time of the last attempt, in UTC.
    pub attempted_at: TimeDateTimeWithTimeZone,
    /// The time of the next attempt, in UTC; none if there is none.
    pub next_attempt_at: Option<TimeDateTimeWithTimeZone>,
    /// The duration of the last attempt, in milliseconds.
    pub duration_ms: i64,
    /// The HTTP status of the last answer.
    pub status: Option<i64>,
    /// The first 1,024 bytes of the last answer.
    #[sea_orm(column_type = "Text", nullable)]
    pub answer: Option<String>,
    /// The reason why the last attempt failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// The webhook.
    #[sea_orm(belongs_to, from = "webhook_id", to = "id")]
    pub webhook: BelongsTo<super::webhooks::Entity>,
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum DeliveryState {
    /// The last attempt failed, and another one follows.
    #[sea_orm(string_value = "pending")]
    Pending,
    /// The endpoint answered 2xx.
    #[sea_orm(string_value = "succeeded")]
    Succeeded,
    /// Every attempt failed.
    #[sea_orm(string_value = "failed")]
    Failed,
    /// The owner may no longer see the event, or it is no longer kept.
    #[sea_orm(string_value = "withdrawn")]
    Withdrawn,
}

impl ActiveModelBehavior for ActiveModel {}
