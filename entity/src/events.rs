//! The log of changes.

use sea_orm::entity::prelude::*;

use crate::values::EventPosition;

/// A row of `events`: one change. Triggers write it in the transaction of the change.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    /// Nothing is added below a position that was visible. Never reused.
    #[sea_orm(primary_key)]
    pub position: EventPosition,
    /// The time of the change, in UTC.
    pub at: TimeDateTimeWithTimeZone,
    /// The name of an [`EventKind`](crate::values::EventKind), or of a later version of Acclaim.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The id of the post, user, session, token or entry of the audit log.
    pub subject_id: i64,
    /// The user who owns the post, session or token, who voted, or who is the subject; for an entry of the
    /// audit log the moderator, or none for the operator.
    pub actor_id: Option<i64>,
    /// A JSON object with members of the subject that may be gone when the event is read.
    #[sea_orm(column_type = "Text", nullable)]
    pub payload: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
