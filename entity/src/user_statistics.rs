//! Users as they are counted.

use sea_orm::entity::prelude::*;

use crate::values::UserId;

/// A row of `user_statistics`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_statistics")]
pub struct Model {
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Whether the totals count the user. False for a deleted user whose posts are still counted.
    pub is_counted: bool,
    /// Rows of `post_statistics` of this owner.
    pub posts: i64,
    /// The sum of their votes.
    pub votes: i64,
    /// The last day on which the user was active, in days since 1970-01-01 in UTC.
    pub active_on: Option<i32>,
}

impl ActiveModelBehavior for ActiveModel {}
