//! What `GET /posts` can be asked.

use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use validator::{Validate, ValidationError};

use crate::{
    http::{Request, rules},
    services::posts,
};

/// Which posts to list.
#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PostQuery {
    /// How many at most.
    #[serde(default = "limit", deserialize_with = "rules::number")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: i64,
    /// How many to pass over first. Deep in a list a cursor is faster.
    #[serde(default, deserialize_with = "rules::number")]
    #[validate(range(min = 0))]
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, default = 0)]
    skip: i64,
    /// Where an earlier list goes on: the `Link` header of its answer has it. It keeps the order of
    /// that list, whatever `sort` says.
    #[serde(default)]
    #[validate(custom(function = "known"))]
    #[param(
        max_length = 40,
        pattern = r"^[nothb][ab]-?[0-9]{1,18}\.[0-9]{1,18}$",
        nullable = false
    )]
    cursor: Option<String>,
    /// `new`: newest first; `old`: oldest first; `top`: most votes first; `hot`: most votes for
    /// their age first, where ten times as many are worth 12.5 hours. Left out: newest first, and
    /// in a search best match first: posts with all words in the title before the others.
    #[serde(default, deserialize_with = "rules::present")]
    #[param(inline, nullable = false)]
    sort: Option<Sort>,
    /// Words that must all occur in the title or the content; the last may be the beginning of a
    /// word. Letters compare without case (as of Unicode 6.1), Latin ones also without diacritics;
    /// all but letters, digits and marks only parts words. Of a word the first 500 characters count.
    #[serde(default)]
    #[validate(length(max = 1000), custom(function = "rules::no_nul"))]
    #[param(max_length = 1000, pattern = r"^[^\u0000]*$")]
    search: String,
    /// Only with this tag.
    #[serde(default)]
    #[validate(custom(function = "rules::tag"))]
    #[param(
        min_length = 1,
        max_length = 30,
        pattern = "^[a-z0-9-]+$",
        nullable = false
    )]
    tag: Option<String>,
    /// Only this user's.
    #[serde(default, deserialize_with = "rules::some_number")]
    #[validate(range(min = 1))]
    #[param(minimum = 1, maximum = 9_223_372_036_854_775_807_i64, nullable = false)]
    owner_id: Option<i64>,
    /// `true`: only posts that the caller voted for; `false`: only the others.
    #[serde(default, deserialize_with = "rules::some_boolean")]
    #[param(nullable = false)]
    voted: Option<bool>,
    /// `true`: only published ones; `false`: only one's own drafts; both when left out.
    #[serde(default, deserialize_with = "rules::some_boolean")]
    #[param(nullable = false)]
    published: Option<bool>,
    /// Only posts written after this moment.
    #[serde(default, deserialize_with = "rules::some_moment")]
    #[param(value_type = String, format = DateTime, nullable = false)]
    created_after: Option<OffsetDateTime>,
    /// Only posts written before this moment.
    #[serde(default, deserialize_with = "rules::some_moment")]
    #[param(value_type = String, format = DateTime, nullable = false)]
    created_before: Option<OffsetDateTime>,
    /// `exact`: count all posts of the list, in `X-Total-Count`; that takes its time.
    #[serde(default, deserialize_with = "rules::present")]
    #[param(inline, nullable = false)]
    count: Option<Count>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Sort {
    New,
    Old,
    Top,
    Hot,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Count {
    Exact,
}

const fn limit() -> i64 {
    10
}

fn known(cursor: &str) -> Result<(), ValidationError> {
    let wrong = || {
        ValidationError::new("format")
            .with_message("must be a cursor of the `Link` header of an earlier list".into())
    };
    posts::FeedCursor::parse(cursor).map(drop).ok_or_else(wrong)
}

impl Request for PostQuery {}

impl From<PostQuery> for posts::FeedQuery {
    fn from(query: PostQuery) -> Self {
        let sort = match query.sort {
            Some(Sort::New) => posts::Sort::New,
            Some(Sort::Old) => posts::Sort::Old,
            Some(Sort::Top) => posts::Sort::Top,
            Some(Sort::Hot) => posts::Sort::Hot,
            None if query.search.trim().is_empty() => posts::Sort::New,
            None => posts::Sort::Best,
        };
        Self {
            limit: query.limit.unsigned_abs(),
            skip: query.skip.unsigned_abs(),
            sort,
            cursor: query.cursor.as_deref().and_then(posts::FeedCursor::parse),
            search: query.search,
            tag: query.tag,
            owner_id: query.owner_id,
            voted: query.voted,
            published: query.published,
            created_after: query.created_after,
            created_before: query.created_before,
            count: query.count.is_some(),
        }
    }
}
