//! Personal access tokens.

use sea_orm::entity::prelude::*;

/// A row of `tokens`. The token itself is nowhere.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tokens")]
pub struct Model {
    /// Given once, never again.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// What its owner calls it, 1 to 100 characters.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The token's SHA-256, base64url.
    #[sea_orm(column_type = "Text", unique)]
    pub hash: String,
    /// What it may do, separated by spaces.
    #[sea_orm(column_type = "Text")]
    pub scopes: String,
    /// In UTC.
    pub created_at: TimeDateTimeWithTimeZone,
    /// In UTC; never when there is none.
    pub expires_at: Option<TimeDateTimeWithTimeZone>,
    /// In UTC, right to a minute; never used when there is none.
    pub last_used_at: Option<TimeDateTimeWithTimeZone>,
    /// Whose it is.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::users::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
