//! Filters of a list, as a condition on the columns of `posts`.

use entity::{posts::COLUMN, values::UserId};
use sea_orm::{
    Condition, DbBackend, IntoSimpleExpr,
    sea_query::{Expr, ExprTrait},
};

use super::{metadata, query::FeedQuery, source::FeedSource};
use crate::{db::comparable, services::posts::post::voted_by};

/// The conditions of `query` and `sources`, except those that need words or another table.
pub(super) fn filter(
    viewer: Option<UserId>,
    query: &FeedQuery,
    sources: &[FeedSource],
    backend: DbBackend,
) -> Condition {
    let mut all = Condition::all();
    for condition in sources.iter().flat_map(FeedSource::conditions) {
        all = all.add(condition);
    }
    if query.published == Some(true) {
        all = all.add(COLUMN.published.eq(true));
    }
    if let (Some(false), Some(viewer)) = (query.voted, viewer) {
        all = all.add(voted_by(Expr::value(viewer)).not());
    }
    for filter in query.metadata.iter() {
        all = all.add(metadata::condition(filter, backend));
    }
    let created = |time| comparable(backend, COLUMN.created_at.into_simple_expr(), time);
    if let Some((created, time)) = query.created_after.map(created) {
        all = all.add(created.gt(time));
    }
    if let Some((created, time)) = query.created_before.map(created) {
        all = all.add(created.lt(time));
    }
    all
}
