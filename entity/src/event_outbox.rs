//! Changes that have no position in the log yet. On PostgreSQL only.

use sea_orm::entity::prelude::*;

/// A row of `event_outbox`: the changes of one kind by one statement.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_outbox")]
pub struct Model {
    /// In the order in which the changes of each row were made, but not in that of the commits.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The time of the change.
    pub at: TimeDateTimeWithTimeZone,
    /// See [`events`](super::events::Model), and for the others too.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// One for each change.
    pub subject_ids: Vec<i64>,
    /// One for each change, or null.
    pub actor_ids: Vec<i64>,
    /// One for each change; none if this kind has no payload.
    #[sea_orm(column_type = "Array(std::sync::Arc::new(ColumnType::Text))", nullable)]
    pub payloads: Option<Vec<String>>,
}

impl ActiveModelBehavior for ActiveModel {}
