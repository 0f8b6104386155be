//! A post as its owner takes it away.

use entity::posts::Model;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::types::{split, tags};

/// A post in an export.
#[derive(Serialize, ToSchema)]
pub(in crate::routes) struct OwnPost {
    #[schema(example = 1)]
    id: i64,
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
    /// How many users voted for it.
    #[schema(example = 0)]
    votes: i64,
}

impl From<Model> for OwnPost {
    fn from(post: Model) -> Self {
        Self {
            id: post.id,
            title: post.title,
            content: post.content,
            published: post.published,
            tags: split(&post.tags),
            created_at: post.created_at,
            updated_at: post.updated_at,
            votes: post.votes,
        }
    }
}
