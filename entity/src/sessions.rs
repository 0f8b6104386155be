//! Sessions.

use sea_orm::entity::prelude::*;

use crate::values::{Scopes, SessionId, UserId};

/// A row of `sessions`: one sign-in. It is deleted when the session ends or has expired.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// Random.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// The user.
    pub user_id: UserId,
    /// The start of the client's `User-Agent`, at most 200 characters; empty without that header.
    #[sea_orm(column_type = "Text")]
    pub user_agent: String,
    /// In UTC, whole microseconds.
    pub created_at: TimeDateTimeWithTimeZone,
    /// In UTC, exact to a minute.
    pub last_used_at: TimeDateTimeWithTimeZone,
    /// In UTC; each refresh postpones it.
    pub expires_at: TimeDateTimeWithTimeZone,
    /// The scopes that it is limited to; `None` for every scope, also of later versions.
    pub scopes: Option<Scopes>,
    /// The user.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::users::Entity>,
}

impl Model {
    /// Its scopes.
    #[must_use]
    pub fn granted_scopes(&self) -> Scopes {
        self.scopes.unwrap_or(Scopes::ALL)
    }
}

impl ActiveModelBehavior for ActiveModel {}
