//! The request and response types of `/posts`.

#![expect(
    clippy::option_option,
    reason = "`DeriveIntoActiveModel` sets a nullable column to the inner option of a member"
)]

use deserr::Deserr;
use entity::{
    posts::{ActiveModel, Model},
    values::{Content, ExternalId, Metadata, PostId, Tags, Title},
};
use sea_orm::DeriveIntoActiveModel;
use serde::{Serialize, Serializer, ser::Error};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{http::input::BodyErrors, services::posts::PostView};

/// A new post, or the new content of an existing one.
#[derive(Deserr, DeriveIntoActiveModel, ToSchema)]
#[deserr(error = BodyErrors)]
#[sea_orm(active_model = "ActiveModel")]
#[schema(example = json!({
    "title": "Notes on the Analytical Engine",
    "content": "It weaves algebraic patterns.",
    "published": true,
    "tags": ["engines"],
}))]
pub(super) struct PostCreate {
    title: Title,
    content: Content,
    /// False for a draft, which is visible only to its owner.
    #[deserr(default = true)]
    #[schema(default = true, example = true, required = false)]
    published: bool,
    /// At most 10 tags of 1 to 30 characters: a to z, 0 to 9 and `-`. Duplicates are removed.
    #[deserr(default)]
    #[schema(required = false)]
    tags: Tags,
    /// The id of the post in a system of its owner: 1 to 128 characters, unique among the posts of the
    /// owner.
    #[deserr(default = Some(None), from(Option<ExternalId>) = Some)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Option<Option<ExternalId>>,
    /// A JSON object of at most 4,096 bytes and 256 values, kept as sent.
    #[deserr(default = Some(None), from(Option<Metadata>) = Some)]
    #[schema(value_type = Option<Metadata>)]
    metadata: Option<Option<Metadata>>,
}

/// Declares a request type with the members to change, and further members.
macro_rules! post_update {
    ($(#[$meta:meta])* $name:ident, $($(#[$attribute:meta])* $member:ident: $type:ty,)*) => {
        $(#[$meta])*
        #[derive(Deserr, DeriveIntoActiveModel, ToSchema)]
        #[deserr(error = BodyErrors)]
        #[sea_orm(active_model = "ActiveModel")]
        pub(super) struct $name {
            $($(#[$attribute])* pub $member: $type,)*
            #[deserr(default, from(Title) = Some)]
            #[schema(nullable = false)]
            title: Option<Title>,
            #[deserr(default, from(Content) = Some)]
            #[schema(nullable = false)]
            content: Option<Content>,
            #[deserr(default, from(bool) = Some)]
            #[schema(nullable = false, example = true)]
            published: Option<bool>,
            /// The new tags. They replace all earlier ones.
            #[deserr(default, from(Tags) = Some)]
            #[schema(nullable = false)]
            tags: Option<Tags>,
            /// The new external id. Null removes it.
            #[deserr(default, from(Option<ExternalId>) = Some)]
            #[schema(value_type = Option<ExternalId>)]
            pub external_id: Option<Option<ExternalId>>,
            /// The new metadata. It replaces all earlier members. Null removes them.
            #[deserr(default, from(Option<Metadata>) = Some)]
            #[schema(value_type = Option<Metadata>)]
            metadata: Option<Option<Metadata>>,
        }
    };
}

post_update! {
    /// The members to change (RFC 7396). Omitted members stay unchanged.
    PostUpdate,
}

post_update! {
    /// The members of a post to change. Without `id`, `external_id` identifies the post. Omitted members stay
    /// unchanged.
    PostUpdateRow,
    #[deserr(default, from(PostId) = Some)]
    #[schema(nullable = false)]
    id: Option<PostId>,
}

/// Declares a response type with the members common to all posts, and further members.
macro_rules! post_response {
    ($(#[$meta:meta])* $name:ident, $($(#[$attribute:meta])* $member:ident: $type:ty,)*) => {
        $(#[$meta])*
        #[derive(Serialize, ToSchema)]
        pub(in crate::routes) struct $name<'a> {
            #[schema(example = 1)]
            id: i64,
            #[schema(example = "Notes on the Analytical Engine")]
            title: &'a str,
            #[schema(example = "It weaves algebraic patterns.")]
            content: &'a str,
            /// False for a draft.
            #[schema(example = true)]
            published: bool,
            #[schema(value_type = Tags)]
            tags: Vec<&'a str>,
            /// The id in a system of the owner. Null for other users.
            #[schema(value_type = Option<ExternalId>, required)]
            external_id: Option<&'a str>,
            /// JSON of the owner, as it was sent.
            #[schema(value_type = Option<Metadata>, required)]
            metadata: Option<Json<'a>>,
            #[serde(with = "time::serde::rfc3339")]
            #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
            created_at: OffsetDateTime,
            #[serde(with = "time::serde::rfc3339")]
            #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
            updated_at: OffsetDateTime,
            /// Starts at 1 and increases by 1 with each change by the owner.
            #[schema(example = 1)]
            version: i64,
            $($(#[$attribute])* $member: $type,)*
        }

        impl<'a> $name<'a> {
            fn new(row: &'a Model, $($member: $type),*) -> Self {
                Self {
                    id: row.id.get(),
                    title: row.title.as_str(),
                    content: row.content.as_str(),
                    published: row.published,
                    tags: row.tags.iter().collect(),
                    external_id: row.external_id.as_ref().map(ExternalId::as_str),
                    metadata: row.metadata.as_ref().map(Json),
                    created_at: row.created_at,
                    updated_at: row.updated_at,
                    version: row.version,
                    $($member,)*
                }
            }
        }
    };
}

post_response! {
    /// A post.
    Post,
    #[schema(example = 1)]
    owner_id: i64,
    owner: Owner<'a>,
    /// The number of users who voted for the post.
    #[schema(example = 0)]
    votes: i64,
    /// Whether the caller voted for the post.
    #[schema(example = false)]
    voted: bool,
}

post_response! {
    /// A post in the export of its owner.
    ExportedPost,
    /// The number of users who voted for the post.
    #[schema(example = 0)]
    votes: i64,
}

/// Writes metadata as it was sent.
struct Json<'a>(&'a Metadata);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json: &RawValue = serde_json::from_str(self.0.as_str()).map_err(S::Error::custom)?;
        json.serialize(serializer)
    }
}

/// The owner of a post.
#[derive(Serialize, ToSchema)]
struct Owner<'a> {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "ada")]
    username: &'a str,
}

impl<'a> From<&'a PostView> for Post<'a> {
    fn from(post: &'a PostView) -> Self {
        let row = &post.row;
        let owner = Owner {
            id: row.owner_id.get(),
            username: post.owner_username.as_str(),
        };
        Self::new(row, owner.id, owner, row.votes, post.voted)
    }
}

impl<'a> From<&'a Model> for ExportedPost<'a> {
    fn from(row: &'a Model) -> Self {
        Self::new(row, row.votes)
    }
}
