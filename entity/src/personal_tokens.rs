//! Personal access tokens.

use sea_orm::entity::prelude::*;

use crate::values::{Scopes, TokenId, TokenName, UserId};

/// A row of `tokens`: one personal access token. The token itself is not stored.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tokens")]
pub struct Model {
    /// Never reused.
    #[sea_orm(primary_key)]
    pub id: TokenId,
    /// The owner.
    pub user_id: UserId,
    /// The owner's name for it.
    pub name: TokenName,
    /// The token's SHA-256, base64url.
    #[sea_orm(column_type = "Text", unique)]
    pub hash: String,
    /// Its rights.
    pub scopes: Scopes,
    /// In UTC.
    pub created_at: TimeDateTimeWithTimeZone,
    /// In UTC; none for a token that does not expire.
    pub expires_at: Option<TimeDateTimeWithTimeZone>,
    /// In UTC, exact to a minute; none for a token that was never used.
    pub last_used_at: Option<TimeDateTimeWithTimeZone>,
    /// The owner.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::users::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
