//! Who is signed in, and where.

use sea_orm::entity::prelude::*;

/// A row of `sessions`: one sign-in, until it is ended or expires.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// At random, 1 to 2^53 - 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// Who signed in.
    pub user_id: i64,
    /// What the client called itself, at most 200 characters; empty when it did not say.
    #[sea_orm(column_type = "Text")]
    pub user_agent: String,
    /// In UTC, whole microseconds.
    pub created_at: TimeDateTimeWithTimeZone,
    /// In UTC, right to a minute.
    pub last_used_at: TimeDateTimeWithTimeZone,
    /// In UTC; each refresh moves it on.
    pub expires_at: TimeDateTimeWithTimeZone,
    /// Who signed in.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::users::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
