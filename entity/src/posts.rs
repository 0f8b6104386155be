//! Posts and drafts.

use sea_orm::entity::prelude::*;

use crate::values::{Content, ExternalId, Metadata, PostId, Tags, Title, UserId};

/// A row of `posts`.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "posts")]
pub struct Model {
    /// Never reused; later posts have higher ids.
    #[sea_orm(primary_key)]
    pub id: PostId,
    /// The author.
    pub owner_id: UserId,
    /// The title.
    pub title: Title,
    /// The text.
    pub content: Content,
    /// False for a draft, which only its owner can see.
    pub published: bool,
    /// The number of rows of `votes` for this post. Only triggers write it.
    pub votes: i64,
    /// In UTC, whole microseconds.
    pub created_at: TimeDateTimeWithTimeZone,
    /// In UTC, whole microseconds. A vote does not change it.
    pub updated_at: TimeDateTimeWithTimeZone,
    /// The tags. Triggers copy them to `post_tags`, one per row.
    pub tags: Tags,
    /// Starts at 1 and grows by one with each change by the owner.
    pub version: i64,
    /// The id in a system of the owner. Unique among the posts of the owner.
    pub external_id: Option<ExternalId>,
    /// JSON of the owner, which the service does not interpret.
    pub metadata: Option<Metadata>,
    /// The author.
    #[sea_orm(belongs_to, from = "owner_id", to = "id")]
    pub owner: BelongsTo<super::users::Entity>,
    /// The votes for the post.
    #[sea_orm(has_many)]
    pub voters: HasMany<super::votes::Entity>,
    /// The sort keys of `top` and `hot`.
    #[sea_orm(has_one)]
    pub rank: HasOne<super::ranks::Entity>,
    /// The tags, one per row.
    #[sea_orm(has_many)]
    pub tagged: HasMany<super::post_tags::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
