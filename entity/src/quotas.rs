//! What each user may store.

use sea_orm::entity::prelude::*;

/// A row of `quotas`: one limit, the same for all users. Triggers of `posts` enforce it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quotas")]
pub struct Model {
    /// What is limited.
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource: Resource,
    /// The limit for each user, at least 1.
    pub maximum: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// What a quota limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "lowercase")]
pub enum Resource {
    /// The number of posts, drafts included.
    Posts,
    /// The bytes of all titles and contents, in UTF-8.
    Bytes,
}
