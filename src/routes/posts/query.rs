//! The query parameters of `GET /posts`.

use deserr::Deserr;
use entity::values::{FeedSkip, Invalid, Limit, MetadataFilters, SearchText, Tag, UserId};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        input::{QueryErrors, boolean, date_time},
        link::invalid_cursor,
    },
    services::posts::feed::{FeedCursor, FeedQuery, Sort},
};

/// The query parameters of `GET /posts`.
#[derive(Deserr, IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
pub(super) struct FeedParameters {
    /// Maximum number of posts in a page.
    #[deserr(default)]
    #[param(inline, required = false)]
    limit: Limit,
    /// Number of posts to skip. To go further, follow the `Link` header, which has a `cursor`.
    #[deserr(default)]
    #[param(inline, required = false)]
    skip: FeedSkip,
    /// The start of a page, from the `Link` header of an earlier response. The page keeps the order of
    /// the earlier list and ignores `sort`.
    #[deserr(default, try_from(&String) = parse_cursor -> Invalid)]
    #[param(
        value_type = Option<String>,
        max_length = 40,
        pattern = r"^[nothb][ab]-?[0-9]{1,18}\.[0-9]{1,18}$",
        nullable = false
    )]
    cursor: Option<FeedCursor>,
    /// `new`: newest first. `old`: oldest first. `top`: most votes first. `hot`: most votes for their
    /// age first; ten times as many votes count as much as 12.5 hours. The default is `new`, and with
    /// `search` best match first: posts with all words in the title come before the others.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    sort: Option<SortParameter>,
    /// Words that must all occur in the title or the content. The last word is a prefix. The search
    /// ignores case (Unicode 6.1) and, in Latin letters, diacritics. All characters except letters,
    /// digits and marks separate words. Only the first 500 characters of a word are compared.
    #[deserr(default)]
    #[param(inline, required = false)]
    search: SearchText,
    /// Only posts with this tag.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    tag: Option<Tag>,
    /// Only posts by this user.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    owner_id: Option<UserId>,
    /// `true`: only posts that the caller voted for. `false`: only posts that the caller did not vote
    /// for.
    #[deserr(default, try_from(&String) = boolean -> Invalid)]
    #[param(nullable = false)]
    voted: Option<bool>,
    /// `true`: only published posts. `false`: only the caller's drafts. The default is both.
    #[deserr(default, try_from(&String) = boolean -> Invalid)]
    #[param(nullable = false)]
    published: Option<bool>,
    /// Only posts created after this time.
    #[deserr(default, try_from(&String) = date_time -> Invalid)]
    #[param(value_type = String, format = DateTime, nullable = false, required = false)]
    created_after: Option<OffsetDateTime>,
    /// Only posts created before this time.
    #[deserr(default, try_from(&String) = date_time -> Invalid)]
    #[param(value_type = String, format = DateTime, nullable = false, required = false)]
    created_before: Option<OffsetDateTime>,
    // Its names are free, which OpenAPI cannot express. The description of the operation has them.
    #[deserr(default)]
    #[param(ignore)]
    metadata: MetadataFilters,
    /// `exact`: return the total number of posts in `X-Total-Count`. If more than 250,000 match, the
    /// response is 422: leave `count` out and page by `cursor`.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    count: Option<Count>,
}

/// Whether to change nothing.
#[derive(Deserr, IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
pub(super) struct DryRun {
    /// `true`: answer what the request would do, and change nothing.
    #[deserr(default, try_from(&String) = boolean -> Invalid)]
    #[param(nullable = false)]
    pub dry_run: Option<bool>,
}

#[derive(Clone, Copy, Deserr, ToSchema)]
#[deserr(error = QueryErrors, rename_all = lowercase)]
#[schema(rename_all = "lowercase")]
enum SortParameter {
    New,
    Old,
    Top,
    Hot,
}

#[derive(Clone, Copy, Deserr, ToSchema)]
#[deserr(error = QueryErrors, rename_all = lowercase)]
#[schema(rename_all = "lowercase")]
enum Count {
    Exact,
}

fn parse_cursor(text: &str) -> Result<Option<FeedCursor>, Invalid> {
    FeedCursor::parse(text).map(Some).ok_or_else(invalid_cursor)
}

impl From<FeedParameters> for FeedQuery {
    fn from(parameters: FeedParameters) -> Self {
        let sort = match parameters.sort {
            Some(SortParameter::New) => Sort::New,
            Some(SortParameter::Old) => Sort::Old,
            Some(SortParameter::Top) => Sort::Top,
            Some(SortParameter::Hot) => Sort::Hot,
            None if parameters.search.as_str().trim().is_empty() => Sort::New,
            None => Sort::Best,
        };
        Self {
            limit: parameters.limit,
            skip: parameters.skip,
            sort,
            cursor: parameters.cursor,
            search: parameters.search,
            tag: parameters.tag,
            owner_id: parameters.owner_id,
            voted: parameters.voted,
            published: parameters.published,
            created_after: parameters.created_after,
            created_before: parameters.created_before,
            metadata: parameters.metadata,
            count: parameters.count.is_some(),
        }
    }
}
