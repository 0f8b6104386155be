//! Tags as they are counted.

use sea_orm::entity::prelude::*;

use crate::values::Tag;

/// A row of `tag_statistics`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tag_statistics")]
pub struct Model {
    /// The tag.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tag: Tag,
    /// Rows of `post_statistics` with this tag, at least 1.
    pub posts: i64,
}

impl ActiveModelBehavior for ActiveModel {}
