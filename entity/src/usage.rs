//! What each user stores, counted by triggers.

use sea_orm::entity::prelude::*;

use crate::values::UserId;

/// A row of `usage`: a part of the posts and of the text of a user. The sum of the user's rows
/// counts. Only triggers write it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage")]
pub struct Model {
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The connection that wrote it, modulo 8; 0 on SQLite.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i32,
    /// The number of posts. May be negative in one slot.
    pub posts: i64,
    /// The bytes of all titles and contents, in UTF-8. May be negative in one slot.
    pub bytes: i64,
    /// The user.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::users::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
