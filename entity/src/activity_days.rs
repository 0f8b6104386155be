//! The number of active users by day.

use sea_orm::entity::prelude::*;

/// A row of `activity_days`. Old rows are removed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "activity_days")]
pub struct Model {
    /// Days since 1970-01-01 in UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i32,
    /// Users who were active on this day.
    pub active: i64,
    /// Users who were active on this day and on no later one.
    pub last_active: i64,
}

impl ActiveModelBehavior for ActiveModel {}
