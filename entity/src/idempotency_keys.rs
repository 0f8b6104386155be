//! Answers of requests with an `Idempotency-Key`.

use sea_orm::entity::prelude::*;

use crate::values::{IdempotencyKey, KeyScope, UserId};

/// A row of `idempotency_keys`: a request that had an effect, and its answer.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// The caller, among whose requests the key is unique.
    #[sea_orm(primary_key, auto_increment = false)]
    pub caller: KeyScope,
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: IdempotencyKey,
    /// The user that a request without a caller created.
    pub user_id: Option<UserId>,
    /// The SHA-256 of method, path, query and body, base64url.
    #[sea_orm(column_type = "Text")]
    pub request_hash: String,
    /// The HTTP status of the answer.
    pub status: i32,
    /// The headers of the answer that others of its kind do not share, `name: value`, one in each line.
    #[sea_orm(column_type = "Text")]
    pub headers: String,
    /// The body of the answer; `None` if it has a secret, which must not be stored.
    #[sea_orm(column_type = "Text", nullable)]
    pub body: Option<String>,
    /// In UTC, whole microseconds.
    pub created_at: TimeDateTimeWithTimeZone,
    /// The user that a request without a caller created.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<Option<super::users::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}
