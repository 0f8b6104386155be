//! What those with a role did to others.

use std::fmt;

use sea_orm::entity::prelude::*;

/// A row of `audit_log`. It outlives the users and posts that it names.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    /// Grows with time.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When. In UTC.
    pub at: TimeDateTimeWithTimeZone,
    /// The number of who did it; none for the operator's command line.
    pub actor_id: Option<i64>,
    /// The name of who did it.
    #[sea_orm(column_type = "Text")]
    pub actor: String,
    /// What was done.
    pub action: Action,
    /// The number of the post or user.
    pub subject_id: i64,
    /// The number of whose post it is, if it is one.
    pub owner_id: Option<i64>,
    /// The title of the post, or the name of the user.
    #[sea_orm(column_type = "Text")]
    pub subject: String,
    /// Why, in the actor's words; may be empty.
    #[sea_orm(column_type = "Text")]
    pub reason: String,
}

impl ActiveModelBehavior for ActiveModel {}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Action {
    /// Somebody else's post was deleted.
    DeletePost,
    /// A user was shut out.
    SuspendUser,
    /// A user was let in again.
    RestoreUser,
    /// A user's role was changed.
    ChangeRole,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_value())
    }
}
