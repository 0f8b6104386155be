//! The origins of imported posts.

use sea_orm::entity::prelude::*;

use crate::values::{PostId, UserId};

/// A row of `imported_posts`: a post that its owner imported from an export.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "imported_posts")]
pub struct Model {
    /// The owner of the post.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: UserId,
    /// The exported account.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub origin: String,
    /// The id of the post in the export.
    #[sea_orm(primary_key, auto_increment = false)]
    pub original_id: PostId,
    /// The post. Unique.
    #[sea_orm(unique)]
    pub post_id: PostId,
    /// The owner.
    #[sea_orm(belongs_to, from = "owner_id", to = "id")]
    pub owner: BelongsTo<super::users::Entity>,
    /// The post.
    #[sea_orm(belongs_to, from = "post_id", to = "id")]
    pub post: BelongsTo<super::posts::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
