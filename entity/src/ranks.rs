//! What lists of posts are ordered by.

use sea_orm::entity::prelude::*;

/// A row of `ranks`: one for each post. The database keeps it, nothing else writes it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ranks")]
pub struct Model {
    /// Whose it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub post_id: i64,
    /// How many users voted for the post.
    pub votes: i64,
    /// When the post was written, in seconds since 1970, and 45,000 more for every ten-fold of
    /// votes + 1.
    pub hot: i64,
    /// Whose it is.
    #[sea_orm(belongs_to, from = "post_id", to = "id")]
    pub post: BelongsTo<super::posts::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
