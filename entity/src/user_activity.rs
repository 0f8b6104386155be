//! The days on which users were active.

use sea_orm::entity::prelude::*;

use crate::values::UserId;

/// A row of `user_activity`. Old rows are removed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_activity")]
pub struct Model {
    /// The user, who is not deleted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Days since 1970-01-01 in UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i32,
}

impl ActiveModelBehavior for ActiveModel {}
