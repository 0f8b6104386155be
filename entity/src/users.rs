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
    /// What the user may do.
    pub role: Role,
    /// Since when the user is shut out, if so. In UTC, whole microseconds.
    pub suspended_at: Option<TimeDateTimeWithTimeZone>,
    /// What the user wrote.
    #[sea_orm(has_many)]
    pub posts: HasMany<super::posts::Entity>,
    /// What the user voted for.
    #[sea_orm(has_many)]
    pub votes: HasMany<super::votes::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

/// What a user may do, the least first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "lowercase")]
pub enum Role {
    /// What concerns the user's own things.
    #[default]
    User,
    /// And delete anybody's post.
    Moderator,
    /// And suspend and restore users, and read the audit log.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_value())
    }
}

/// An Argon2id hash in PHC string format. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}
