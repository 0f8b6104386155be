//! The parameters of `GET /posts`.

use deserr::Deserr;
use entity::values::{Invalid, Limit, SearchText, Skip, Tag, UserId};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::input::{QueryErrors, boolean, date_time},
    services::posts::feed::{FeedCursor, FeedQuery, Sort},
};

/// The posts to list.
#[derive(Deserr, IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
pub(super) struct FeedParameters {
    /// The most posts of a page.
    #[deserr(default)]
    #[param(inline, required = false)]
    limit: Limit,
    /// How many posts to pass over first. Deep in a list a cursor is faster.
    #[deserr(default)]
    #[param(inline, required = false)]
    skip: Skip,
    /// The position at which an earlier list goes on, from the `Link` header of its answer. The
    /// order is that of the earlier list, whatever `sort` is.
    #[deserr(default, try_from(&String) = parse_cursor -> Invalid)]
    #[param(
        value_type = Option<String>,
        max_length = 40,
        pattern = r"^[nothb][ab]-?[0-9]{1,18}\.[0-9]{1,18}$",
        nullable = false
    )]
    cursor: Option<FeedCursor>,
    /// `new`: newest first; `old`: oldest first; `top`: most votes first; `hot`: most votes for
    /// their age first, where ten times as many are worth 12.5 hours. The default is newest first,
    /// and in a search best match first: posts with all words in the title before the others.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    sort: Option<SortParameter>,
    /// Words that must all occur in the title or the content; the last may be the beginning of a
    /// word. Letters compare without case (as of Unicode 6.1), Latin ones also without diacritics;
    /// all but letters, digits and marks separates words. The first 500 characters of a word count.
    #[deserr(default)]
    #[param(inline, required = false)]
    search: SearchText,
    /// Only posts with this tag.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    tag: Option<Tag>,
    /// Only posts of this user.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    owner_id: Option<UserId>,
    /// `true`: only posts that the caller voted for; `false`: only the others.
    #[deserr(default, try_from(&String) = boolean -> Invalid)]
    #[param(nullable = false)]
    voted: Option<bool>,
    /// `true`: only published posts; `false`: only the caller's drafts. The default is both.
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
    /// `exact`: count all posts of the list, in `X-Total-Count`. Slow when many posts match.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    count: Option<Count>,
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
    let invalid = || {
        Invalid::new(
            "format",
            "must be a cursor of the `Link` header of an earlier list",
        )
    };
    FeedCursor::parse(text).map(Some).ok_or_else(invalid)
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
            count: parameters.count.is_some(),
        }
    }
}
