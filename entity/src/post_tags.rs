//! Which posts have a tag.

use sea_orm::entity::prelude::*;

/// A row of `post_tags`: one word of a post's `tags`. The database keeps it, nothing else writes it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "post_tags")]
pub struct Model {
    /// 1 to 30 of `[a-z0-9-]`.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub tag: String,
    /// The post that has it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub post_id: i64,
    /// The post that has it.
    #[sea_orm(belongs_to, from = "post_id", to = "id")]
    pub post: BelongsTo<super::posts::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
