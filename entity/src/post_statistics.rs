//! Posts as they are counted.

use sea_orm::entity::prelude::*;

use crate::values::{PostId, Tags, UserId};

/// A row of `post_statistics`: a post that everyone sees, as the totals count it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "post_statistics")]
pub struct Model {
    /// The post. It may be deleted meanwhile.
    #[sea_orm(primary_key, auto_increment = false)]
    pub post_id: PostId,
    /// Its author.
    pub owner_id: UserId,
    /// Its number of votes.
    pub votes: i64,
    /// Its tags.
    pub tags: Tags,
}

impl ActiveModelBehavior for ActiveModel {}
