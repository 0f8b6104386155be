//! The audit log: actions of moderators, admins and the operator.

use std::fmt;

use sea_orm::entity::prelude::*;

use crate::values::{AuditEntryId, Reason, UserId};

/// A row of `audit_log`: one action. It remains when the user or the post is deleted.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    /// Later entries have higher ids.
    #[sea_orm(primary_key)]
    pub id: AuditEntryId,
    /// The time of the action, in UTC.
    pub at: TimeDateTimeWithTimeZone,
    /// The moderator or admin; none for the operator's command line.
    pub actor_id: Option<UserId>,
    /// The username of the moderator or admin, or `operator`.
    #[sea_orm(column_type = "Text")]
    pub actor: String,
    /// The kind of action.
    pub action: Action,
    /// The id of the post or user.
    pub subject_id: i64,
    /// The owner of the post, if the subject is a post.
    pub owner_id: Option<UserId>,
    /// The title of the post, or the username.
    #[sea_orm(column_type = "Text")]
    pub subject: String,
    /// The actor's reason; may be empty. For a new token its name and scopes.
    pub reason: Reason,
}

impl ActiveModelBehavior for ActiveModel {}

/// A kind of action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Action {
    /// A moderator deleted the post of another user.
    DeletePost,
    /// An admin suspended a user.
    SuspendUser,
    /// An admin restored a user.
    RestoreUser,
    /// The operator changed the role of a user.
    ChangeRole,
    /// The operator created a personal access token for a user.
    CreateToken,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_value())
    }
}
