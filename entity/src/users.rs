//! Who can sign in.

use std::fmt;

use sea_orm::entity::prelude::*;

/// A row of `users`. It cannot be serialised: what leaves the service is chosen member by member.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Given once, never again.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Lower-case, 3 to 254 characters, unique.
    #[sea_orm(column_type = "Text", unique)]
    pub email: String,
    /// 3 to 30 of `[a-z0-9_-]`, unique.
    #[sea_orm(column_type = "Text", unique)]
    pub username: String,
    /// See [`PasswordHash`].
    pub password_hash: PasswordHash,
    /// In UTC, whole microseconds.
    pub created_at: TimeDateTimeWithTimeZone,
    /// In UTC, whole microseconds.
    pub updated_at: TimeDateTimeWithTimeZone,
    /// What the user wrote.
    #[sea_orm(has_many)]
    pub posts: HasMany<super::posts::Entity>,
    /// What the user voted for.
    #[sea_orm(has_many)]
    pub votes: HasMany<super::votes::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

/// An Argon2id hash in PHC string format. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}
