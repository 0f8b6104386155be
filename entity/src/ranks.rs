//! The sort keys of the orders `top` and `hot`.

use sea_orm::entity::prelude::*;

use crate::values::PostId;

/// A row of `ranks`: one per post. Only triggers write it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ranks")]
pub struct Model {
    /// The post.
    #[sea_orm(primary_key, auto_increment = false)]
    pub post_id: PostId,
    /// The number of votes for the post.
    pub votes: i64,
    /// The creation time in seconds since 1970, plus 45,000 for each power of ten in votes + 1,
    /// interpolated linearly between the powers.
    pub hot: i64,
    /// The post.
    #[sea_orm(belongs_to, from = "post_id", to = "id")]
    pub post: BelongsTo<super::posts::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
