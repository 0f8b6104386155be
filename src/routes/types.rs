//! Request types of several resources.

use deserr::Deserr;
use entity::values::{Invalid, Limit, Reason, Skip};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{input::QueryErrors, link::invalid_cursor},
    services::paging::Cursor,
};

/// The reason for a moderation action.
#[derive(Deserr, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct ModerationReason {
    /// The reason, for the audit log. Recorded only for actions on another user or another user's
    /// post.
    #[deserr(default, needs_predicate)]
    #[param(inline, required = false)]
    #[schema(required = false)]
    pub reason: Reason,
}

/// The page of a list.
#[derive(Deserr, IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParameters {
    /// Maximum number of items in a page.
    #[deserr(default)]
    #[param(inline, required = false)]
    pub limit: Limit,
    /// Number of items to skip.
    #[deserr(default)]
    #[param(inline, required = false)]
    pub skip: Skip,
}

/// The page of a list with cursors.
#[derive(Deserr, IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
pub(super) struct CursorParameters {
    /// Maximum number of items in a page.
    #[deserr(default)]
    #[param(inline, required = false)]
    pub limit: Limit,
    /// The start of a page, from the `Link` header of an earlier response.
    #[deserr(default, try_from(&String) = parse_cursor -> Invalid)]
    #[param(
        value_type = Option<String>,
        max_length = 39,
        pattern = r"^[ab]-?[0-9]{1,18}\.[0-9]{1,18}$",
        nullable = false
    )]
    pub cursor: Option<Cursor>,
}

fn parse_cursor(text: &str) -> Result<Option<Cursor>, Invalid> {
    Cursor::parse(text).map(Some).ok_or_else(invalid_cursor)
}
