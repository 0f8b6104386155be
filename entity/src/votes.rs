//! Who voted for what.

use sea_orm::entity::prelude::*;

/// A row of `votes`: one user's vote for one post.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "votes")]
pub struct Model {
    /// What was voted for.
    #[sea_orm(primary_key, auto_increment = false)]
    pub post_id: i64,
    /// Who voted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    /// In UTC, whole microseconds.
    pub created_at: TimeDateTimeWithTimeZone,
    /// What was voted for.
    #[sea_orm(belongs_to, from = "post_id", to = "id")]
    pub post: BelongsTo<super::posts::Entity>,
    /// Who voted.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::users::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
