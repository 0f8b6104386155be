//! The votes for each post by day.

use sea_orm::entity::prelude::*;

use crate::values::PostId;

/// A row of `post_vote_days`: the changes of one day, for drafts too.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "post_vote_days")]
pub struct Model {
    /// The post.
    #[sea_orm(primary_key, auto_increment = false)]
    pub post_id: PostId,
    /// Days since 1970-01-01 in UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i32,
    /// Votes that were given on this day.
    pub added: i64,
    /// Votes that were taken back on this day.
    pub removed: i64,
}

impl ActiveModelBehavior for ActiveModel {}
