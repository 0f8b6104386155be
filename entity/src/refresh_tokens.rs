//! Refresh tokens.

use sea_orm::entity::prelude::*;

use crate::values::SessionId;

/// A row of `refresh_tokens`: one token, used or not.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_tokens")]
pub struct Model {
    /// The token's SHA-256, base64url.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub hash: String,
    /// The session that it extends.
    pub session_id: SessionId,
    /// In UTC.
    pub created_at: TimeDateTimeWithTimeZone,
    /// The time of its first use, in UTC.
    pub replaced_at: Option<TimeDateTimeWithTimeZone>,
    /// The hash of the token that was exchanged for it; `None` for the first token of a session.
    #[sea_orm(column_type = "Text", nullable)]
    pub parent_hash: Option<String>,
    /// The session that it extends.
    #[sea_orm(belongs_to, from = "session_id", to = "id")]
    pub session: BelongsTo<super::sessions::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
