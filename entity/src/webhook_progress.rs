//! How far the event log was searched for events for webhooks.

use sea_orm::entity::prelude::*;

use crate::values::EventPosition;

/// The only row of `webhook_progress`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_progress")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// `webhooks.wanted` covers every event up to this position.
    pub position: EventPosition,
}

impl ActiveModelBehavior for ActiveModel {}
