//! The progress of the statistics, and the totals.

use sea_orm::entity::prelude::*;

use crate::values::EventPosition;

/// The row of `statistics`. There is one.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "statistics")]
pub struct Model {
    /// 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Grows by one with each write to the tables of statistics.
    pub revision: i64,
    /// Every event up to this position is in the statistics.
    pub position: EventPosition,
    /// The event after `position` changes all posts of a user: the id of the last of them that was read.
    pub owner_after: i64,
    /// 0 unless the tables are filled from what exists.
    pub phase: i32,
    /// The last id or position that the phase has read.
    pub phase_after: i64,
    /// Users who are not deleted.
    pub users: i64,
    /// Posts that everyone sees.
    pub posts: i64,
    /// Votes for the posts that everyone sees.
    pub votes: i64,
}

impl ActiveModelBehavior for ActiveModel {}
