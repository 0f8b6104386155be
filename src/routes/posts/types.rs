//! What comes and goes at `/posts`.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use utoipa::{
    ToSchema,
    openapi::{
        ObjectBuilder,
        schema::{Array, ArrayBuilder, Type},
    },
};
use validator::Validate;

use crate::{
    http::{Request, rules},
    services::posts,
};

/// A post to be, or all of a post that is there.
#[derive(Deserialize, Validate, ToSchema)]
pub(super) struct NewPost {
    #[serde(default)]
    #[validate(
        length(min = 1, max = 300),
        custom(function = "rules::not_blank"),
        custom(function = "rules::no_nul")
    )]
    #[schema(
        required,
        min_length = 1,
        max_length = 300,
        pattern = r"^[^\u0000]*[^\u0000\t-\r\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000]*$",
        example = "Notes on the Analytical Engine"
    )]
    title: String,
    #[serde(default)]
    #[validate(
        length(min = 1, max = 40_000),
        custom(function = "rules::not_blank"),
        custom(function = "rules::no_nul")
    )]
    #[schema(
        required,
        min_length = 1,
        max_length = 40_000,
        pattern = r"^[^\u0000]*[^\u0000\t-\r\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000]*$",
        example = "It weaves algebraic patterns."
    )]
    content: String,
    /// False keeps it as a draft, which nobody else can see.
    #[serde(default = "published")]
    #[schema(default = true, example = true)]
    published: bool,
    /// At most 10, each 1 to 30 of a to z, 0 to 9 and `-`; one that is given twice counts once.
    #[serde(default)]
    #[validate(custom(function = "rules::tags"))]
    #[schema(schema_with = tags)]
    tags: Vec<String>,
}

impl Request for NewPost {
    const REQUIRED: &'static [&'static str] = &["title", "content"];
}

impl From<NewPost> for posts::NewPost {
    fn from(new: NewPost) -> Self {
        Self {
            title: new.title,
            content: new.content,
            published: new.published,
            tags: joined(new.tags),
        }
    }
}

impl From<NewPost> for posts::Changes {
    fn from(new: NewPost) -> Self {
        Self {
            title: Some(new.title),
            content: Some(new.content),
            published: Some(new.published),
            tags: Some(joined(new.tags)),
        }
    }
}

/// What to change of a post (RFC 7396); what is left out stays as it is.
#[derive(Deserialize, Validate, ToSchema)]
pub(super) struct PostPatch {
    #[serde(default, deserialize_with = "rules::present")]
    #[validate(
        length(min = 1, max = 300),
        custom(function = "rules::not_blank"),
        custom(function = "rules::no_nul")
    )]
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 300,
        pattern = r"^[^\u0000]*[^\u0000\t-\r\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000]*$",
        example = "Notes on the Engine"
    )]
    title: Option<String>,
    #[serde(default, deserialize_with = "rules::present")]
    #[validate(
        length(min = 1, max = 40_000),
        custom(function = "rules::not_blank"),
        custom(function = "rules::no_nul")
    )]
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 40_000,
        pattern = r"^[^\u0000]*[^\u0000\t-\r\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000]*$",
        example = "It weaves algebraic patterns just as the loom weaves flowers."
    )]
    content: Option<String>,
    #[serde(default, deserialize_with = "rules::present")]
    #[schema(nullable = false, example = true)]
    published: Option<bool>,
    /// All of them.
    #[serde(default, deserialize_with = "rules::present")]
    #[validate(custom(function = "rules::tags"))]
    #[schema(schema_with = tags)]
    tags: Option<Vec<String>>,
}

impl Request for PostPatch {}

impl From<PostPatch> for posts::Changes {
    fn from(patch: PostPatch) -> Self {
        Self {
            title: patch.title,
            content: patch.content,
            published: patch.published,
            tags: patch.tags.map(joined),
        }
    }
}

/// The schema of tags: what stands in a list has bounds of its own, which attributes cannot say.
pub(super) fn tags() -> Array {
    let tag = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(30))
        .pattern(Some("^[a-z0-9-]+$"));
    ArrayBuilder::new()
        .items(tag)
        .max_items(Some(10))
        .examples([json!(["engines"])])
        .build()
}

/// As they are kept: each once, with a space between them.
fn joined(mut tags: Vec<String>) -> String {
    let mut seen = HashSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    tags.join(" ")
}

pub(super) fn split(tags: &str) -> Vec<String> {
    tags.split_whitespace().map(str::to_owned).collect()
}

const fn published() -> bool {
    true
}

/// A post.
#[derive(Serialize, ToSchema)]
pub(super) struct Post {
    #[schema(example = 1)]
    pub(super) id: i64,
    #[schema(example = "Notes on the Analytical Engine")]
    title: String,
    #[schema(example = "It weaves algebraic patterns.")]
    content: String,
    /// False for a draft.
    #[schema(example = true)]
    published: bool,
    #[schema(schema_with = tags)]
    tags: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    updated_at: OffsetDateTime,
    /// 1, and one more with every change by its owner.
    #[schema(example = 1)]
    version: i64,
    #[schema(example = 1)]
    owner_id: i64,
    owner: Owner,
    /// How many users voted for it.
    #[schema(example = 0)]
    votes: i64,
    /// Whether the caller did.
    #[schema(example = false)]
    voted: bool,
}

/// Who wrote a post.
#[derive(Serialize, ToSchema)]
struct Owner {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "ada")]
    username: String,
}

impl From<posts::Post> for Post {
    fn from(post: posts::Post) -> Self {
        Self {
            id: post.id,
            title: post.title,
            content: post.content,
            published: post.published,
            tags: split(&post.tags),
            created_at: post.created_at,
            updated_at: post.updated_at,
            version: post.version,
            owner_id: post.owner_id,
            owner: Owner {
                id: post.owner_id,
                username: post.owner_username,
            },
            votes: post.votes,
            voted: post.voted,
        }
    }
}
