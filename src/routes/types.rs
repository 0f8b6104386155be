//! Request types of several resources.

use deserr::Deserr;
use entity::values::{Limit, Reason, Skip};
use utoipa::{IntoParams, ToSchema};

use crate::http::input::QueryErrors;

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
