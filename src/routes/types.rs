//! What several resources take and give.

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::http::{Request, rules};

/// Why something is done to somebody else's, for the audit log.
#[derive(Deserialize, Validate, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct Reason {
    /// Why, for the audit log, if it is somebody else's.
    #[serde(default)]
    #[validate(length(max = 500), custom(function = "rules::no_nul"))]
    #[param(max_length = 500, pattern = r"^[^\u0000]*$")]
    #[schema(
        max_length = 500,
        pattern = r"^[^\u0000]*$",
        example = "Advertising, for the third time"
    )]
    pub reason: String,
}

impl Request for Reason {}

/// Which part of a list.
#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many at most.
    #[serde(default = "limit", deserialize_with = "rules::number")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 10)]
    pub limit: i64,
    /// How many to pass over first.
    #[serde(default, deserialize_with = "rules::number")]
    #[validate(range(min = 0))]
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, default = 0)]
    pub skip: i64,
}

const fn limit() -> i64 {
    10
}

impl Request for Page {}
