//! Tickets that open a stream of events without a header.

use sea_orm::entity::prelude::*;

use crate::values::{Scopes, SessionId, TokenId, UserId};

/// A row of `event_tickets`. It is deleted by its use.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_tickets")]
pub struct Model {
    /// The SHA-256 of the ticket, base64url.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub hash: String,
    /// The user.
    pub user_id: UserId,
    /// The session of the user, if the ticket was issued in one.
    pub session_id: Option<SessionId>,
    /// The personal access token, if the ticket was issued for one.
    pub token_id: Option<TokenId>,
    /// The scopes of the credential.
    pub scopes: Scopes,
    /// The ticket opens no stream after this time, in UTC.
    pub expires_at: TimeDateTimeWithTimeZone,
    /// The stream ends at this time, in UTC: the access token expires then.
    pub stream_until: Option<TimeDateTimeWithTimeZone>,
    /// The user.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::users::Entity>,
    /// The session.
    #[sea_orm(belongs_to, from = "session_id", to = "id")]
    pub session: BelongsTo<Option<super::sessions::Entity>>,
    /// The personal access token.
    #[sea_orm(belongs_to, from = "token_id", to = "id")]
    pub token: BelongsTo<Option<super::personal_tokens::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
