//! Input that several resources share.

use deserr::Deserr;
use entity::values::{Limit, Reason, Skip};
use utoipa::{IntoParams, ToSchema};

use crate::http::input::QueryErrors;

/// The reason for an act on another user, or on a post of theirs.
#[derive(Deserr, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct WithReason {
    /// The reason, for the audit log. It is recorded only for the post or account of another user.
    #[deserr(default, needs_predicate)]
    #[param(inline, required = false)]
    #[schema(required = false)]
    pub reason: Reason,
}

/// A part of a list.
#[derive(Deserr, IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParameters {
    /// The most rows of a page.
    #[deserr(default)]
    #[param(inline, required = false)]
    pub limit: Limit,
    /// How many rows to pass over first.
    #[deserr(default)]
    #[param(inline, required = false)]
    pub skip: Skip,
}
