//! What comes and goes at `/posts`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
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
        }
    }
}

impl From<NewPost> for posts::Changes {
    fn from(new: NewPost) -> Self {
        Self {
            title: Some(new.title),
            content: Some(new.content),
            published: Some(new.published),
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
}

impl Request for PostPatch {}

impl From<PostPatch> for posts::Changes {
    fn from(patch: PostPatch) -> Self {
        Self {
            title: patch.title,
            content: patch.content,
            published: patch.published,
        }
    }
}

/// Which posts to list.
#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PostQuery {
    /// How many at most.
    #[serde(default = "limit", deserialize_with = "rules::number")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: i64,
    /// How many to pass over first.
    #[serde(default, deserialize_with = "rules::number")]
    #[validate(range(min = 0))]
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, default = 0)]
    skip: i64,
    /// `new`: newest first; `old`: oldest first.
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
    /// Words that must all occur in the title or the content, without regard to case
    /// (on SQLite for the letters a to z alone).
    #[serde(default)]
    #[validate(length(max = 1000), custom(function = "rules::no_nul"))]
    #[param(max_length = 1000, pattern = r"^[^\u0000]*$")]
    search: String,
    /// Only this user's.
    #[serde(default, deserialize_with = "rules::some_number")]
    #[validate(range(min = 1))]
    #[param(minimum = 1, maximum = 9_223_372_036_854_775_807_i64, nullable = false)]
    owner_id: Option<i64>,
    /// `true`: only published ones; `false`: only one's own drafts; both when left out.
    #[serde(default, deserialize_with = "rules::some_boolean")]
    #[param(nullable = false)]
    published: Option<bool>,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = json!("new"))]
enum Sort {
    #[default]
    New,
    Old,
}

const fn published() -> bool {
    true
}

const fn limit() -> i64 {
    10
}

impl Request for PostQuery {}

impl From<PostQuery> for posts::Query {
    fn from(query: PostQuery) -> Self {
        Self {
            limit: query.limit.unsigned_abs(),
            skip: query.skip.unsigned_abs(),
            sort: match query.sort {
                Sort::New => posts::Sort::New,
                Sort::Old => posts::Sort::Old,
            },
            search: query.search,
            owner_id: query.owner_id,
            published: query.published,
        }
    }
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
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    updated_at: OffsetDateTime,
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
            created_at: post.created_at,
            updated_at: post.updated_at,
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
