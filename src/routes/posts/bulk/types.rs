//! The request and response types of `/posts/bulk`.

use deserr::Deserr;
use entity::values::{ExternalId, PostId};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::types::{PostCreate, PostUpdateRow};
use crate::http::{
    input::{BodyErrors, Rows},
    problem::ProblemDetails,
};

/// Posts to create.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
pub(super) struct BulkCreate {
    #[schema(
        value_type = Vec<PostCreate>,
        min_items = 1,
        max_items = 1_000,
        example = json!([{"title": "Notes on the Analytical Engine", "content": "It weaves algebraic patterns."}])
    )]
    pub posts: Rows<PostCreate>,
    /// What happens with a row whose `external_id` exists. `error`: the row fails. `ignore`: the post stays as it
    /// is. `update`: the post is replaced, which needs the scope `posts:update` too.
    #[deserr(default)]
    #[schema(required = false)]
    pub on_conflict: OnConflict,
    /// `true`: if a row fails, nothing is changed, and the response is the problem. `false`: each row succeeds
    /// or fails by itself.
    #[deserr(default = true)]
    #[schema(default = true, example = true, required = false)]
    pub atomic: bool,
}

#[derive(Clone, Copy, Default, Deserr, ToSchema)]
#[deserr(error = BodyErrors, rename_all = lowercase)]
#[schema(rename_all = "lowercase", default = "error")]
pub(super) enum OnConflict {
    #[default]
    Error,
    Ignore,
    Update,
}

/// Posts to change.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
pub(super) struct BulkUpdate {
    #[schema(
        value_type = Vec<PostUpdateRow>,
        min_items = 1,
        max_items = 1_000,
        example = json!([{"id": 1, "published": true}])
    )]
    pub posts: Rows<PostUpdateRow>,
    /// `true`: if a row fails, nothing is changed, and the response is the problem. `false`: each row succeeds
    /// or fails by itself.
    #[deserr(default = true)]
    #[schema(default = true, example = true, required = false)]
    pub atomic: bool,
}

/// Posts to delete.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
pub(super) struct BulkDelete {
    #[schema(
        value_type = Vec<PostKey>,
        min_items = 1,
        max_items = 1_000,
        example = json!([{"id": 1}])
    )]
    pub posts: Rows<PostKey>,
    /// `true`: if a row fails, nothing is changed, and the response is the problem. `false`: each row succeeds
    /// or fails by itself.
    #[deserr(default = true)]
    #[schema(default = true, example = true, required = false)]
    pub atomic: bool,
}

/// Identifies a post by one of both members.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
pub(super) struct PostKey {
    #[deserr(default, from(PostId) = Some)]
    #[schema(nullable = false)]
    pub id: Option<PostId>,
    #[deserr(default, from(ExternalId) = Some)]
    #[schema(nullable = false)]
    pub external_id: Option<ExternalId>,
}

/// What a bulk request did. The numbers of rows, and each row.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct BulkResult<'a> {
    /// Whether this was a dry run, which changes nothing.
    #[schema(example = false)]
    pub dry_run: bool,
    #[schema(example = 1)]
    pub created: u32,
    #[schema(example = 0)]
    pub updated: u32,
    #[schema(example = 0)]
    pub unchanged: u32,
    #[schema(example = 0)]
    pub ignored: u32,
    #[schema(example = 0)]
    pub deleted: u32,
    #[schema(example = 0)]
    pub failed: u32,
    /// The rows, in the order of the request.
    #[schema(max_items = 1_000)]
    pub posts: Vec<BulkRow<'a>>,
}

/// What a bulk request did with a row.
#[derive(Serialize, ToSchema)]
pub(super) struct BulkRow<'a> {
    /// The place of the row in the request, from 0.
    #[schema(example = 0)]
    pub index: usize,
    #[schema(inline)]
    pub outcome: RowOutcome,
    /// The post. Missing for a row that failed, and for a new post in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1)]
    pub id: Option<i64>,
    /// The version of the post after the request, or of the deleted post. Missing for a row that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1)]
    pub version: Option<i64>,
    /// Why the row failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<ProblemDetails<'a>>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(rename_all = "lowercase")]
pub(super) enum RowOutcome {
    Created,
    Updated,
    Unchanged,
    Ignored,
    Deleted,
    Failed,
}
