//! Users and their roles.

use std::fmt;

use sea_orm::entity::prelude::*;

use crate::values::{Email, UserId, Username};

/// A row of `users`. It does not implement `Serialize`: each response type selects its members.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Never reused.
    #[sea_orm(primary_key)]
    pub id: UserId,
    /// Unique.
    #[sea_orm(unique)]
    pub email: Email,
    /// Unique.
    #[sea_orm(unique)]
    pub username: Username,
    /// The hash of the password.
    #[sea_orm(column_type = "Text")]
    pub password_hash: PasswordHash,
    /// In UTC, whole microseconds.
    pub created_at: TimeDateTimeWithTimeZone,
    /// In UTC, whole microseconds.
    pub updated_at: TimeDateTimeWithTimeZone,
    /// The rights over other users and their posts.
    pub role: Role,
    /// The time of the suspension, in UTC and whole microseconds; none for an active user.
    pub suspended_at: Option<TimeDateTimeWithTimeZone>,
    /// The time of the deletion, in UTC and whole microseconds. A deleted user is also suspended
    /// until a job has removed all rows of the user.
    pub deleted_at: Option<TimeDateTimeWithTimeZone>,
    /// The user's posts.
    #[sea_orm(has_many)]
    pub posts: HasMany<super::posts::Entity>,
    /// The user's votes.
    #[sea_orm(has_many)]
    pub votes: HasMany<super::votes::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The rights of a user, in ascending order.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "lowercase")]
pub enum Role {
    /// May act on their own posts and account.
    #[default]
    User,
    /// May also delete any post.
    Moderator,
    /// May also suspend and restore users, and read the audit log.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_value())
    }
}

/// An Argon2id hash in PHC string format. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}
