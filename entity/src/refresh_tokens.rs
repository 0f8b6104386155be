//! What keeps a session going.

use sea_orm::entity::prelude::*;

/// A row of `refresh_tokens`: one token, used or not.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_tokens")]
pub struct Model {
    /// The token's SHA-256, base64url.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub hash: String,
    /// The session that it keeps going.
    pub session_id: i64,
    /// In UTC.
    pub created_at: TimeDateTimeWithTimeZone,
    /// When it was first used, if so. In UTC.
    pub replaced_at: Option<TimeDateTimeWithTimeZone>,
    /// The session that it keeps going.
    #[sea_orm(belongs_to, from = "session_id", to = "id")]
    pub session: BelongsTo<super::sessions::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
