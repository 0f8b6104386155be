//! What users publish, or keep as a draft.

use sea_orm::entity::prelude::*;

/// A row of `posts`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "posts")]
pub struct Model {
    /// Given once, never again; later posts have higher ones.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Who wrote it.
    pub owner_id: i64,
    /// 1 to 300 characters.
    #[sea_orm(column_type = "Text")]
    pub title: String,
    /// 1 to 40,000 characters.
    #[sea_orm(column_type = "Text")]
    pub content: String,
    /// False for a draft, which nobody but its owner can see.
    pub published: bool,
    /// How many rows of `votes` name this post; the database keeps it, nothing else writes it.
    pub votes: i64,
    /// In UTC, whole microseconds.
    pub created_at: TimeDateTimeWithTimeZone,
    /// In UTC, whole microseconds; a vote does not change it.
    pub updated_at: TimeDateTimeWithTimeZone,
    /// At most 10, each 1 to 30 of `[a-z0-9-]`, with a space between them.
    #[sea_orm(column_type = "Text")]
    pub tags: String,
    /// 1, and one more with every change by its owner.
    pub version: i64,
    /// Who wrote it.
    #[sea_orm(belongs_to, from = "owner_id", to = "id")]
    pub owner: BelongsTo<super::users::Entity>,
    /// Who voted for it.
    #[sea_orm(has_many)]
    pub voters: HasMany<super::votes::Entity>,
    /// Its place in ordered lists.
    #[sea_orm(has_one)]
    pub rank: HasOne<super::ranks::Entity>,
    /// Its tags, one a row.
    #[sea_orm(has_many)]
    pub tagged: HasMany<super::post_tags::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
