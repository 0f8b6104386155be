//! Which posts belong to a list.

use entity::{
    post_tags,
    posts::{COLUMN, Column, Entity},
    votes,
};
use sea_orm::{
    Condition, DbBackend, IntoSimpleExpr, QueryFilter, Select,
    sea_query::{Expr, ExprTrait, Query as Sql, SelectStatement},
};

use super::Query;
use crate::{db::comparable, services::posts::vote_of};

/// What must hold of `posts` for `query`, but for its words, tag and votes; `None` when no post can
/// fit.
pub(super) fn fitting(reader: Option<i64>, query: &Query, backend: DbBackend) -> Option<Condition> {
    let mut all = Condition::all();
    if let Some(owner_id) = query.owner_id {
        all = all.add(COLUMN.owner_id.eq(owner_id));
    }
    if let Some(published) = query.published {
        all = all.add(COLUMN.published.eq(published));
        if !published {
            // Only one's own drafts are visible, which neither planner concludes by itself.
            all = all.add(COLUMN.owner_id.eq(reader?));
        }
    }
    if query.voted == Some(true) {
        reader?;
    }
    if let (Some(false), Some(reader)) = (query.voted, reader) {
        all = all.add(vote_of(Expr::value(reader)).not());
    }
    let written = |moment| comparable(backend, COLUMN.created_at.into_simple_expr(), moment);
    if let Some((written, moment)) = query.created_after.map(written) {
        all = all.add(written.gt(moment));
    }
    if let Some((written, moment)) = query.created_before.map(written) {
        all = all.add(written.lt(moment));
    }
    Some(all)
}

/// Those of `select` with the tag and the reader's votes that `query` asks for, in tables that a
/// list can walk.
pub(super) fn joined(
    mut select: Select<Entity>,
    reader: Option<i64>,
    query: &Query,
) -> Select<Entity> {
    if query.voted == Some(true) {
        select = select
            .inner_join(votes::Entity)
            .filter(votes::COLUMN.user_id.eq(reader.unwrap_or_default()));
    }
    if let Some(tag) = &query.tag {
        select = select
            .inner_join(post_tags::Entity)
            .filter(post_tags::COLUMN.tag.eq(tag.as_str()));
    }
    select
}

/// The same as a condition on `posts` alone.
pub(in crate::services::posts) fn among(reader: Option<i64>, query: &Query) -> Condition {
    let is_among = |numbers: SelectStatement| Expr::col((Entity, Column::Id)).in_subquery(numbers);
    let mut all = Condition::all();
    if query.voted == Some(true) {
        let mut voted = Sql::select();
        voted
            .column(votes::Column::PostId)
            .from(votes::Entity)
            .and_where(votes::COLUMN.user_id.eq(reader.unwrap_or_default()));
        all = all.add(is_among(voted));
    }
    if let Some(tag) = &query.tag {
        let mut tagged = Sql::select();
        tagged
            .column(post_tags::Column::PostId)
            .from(post_tags::Entity)
            .and_where(post_tags::COLUMN.tag.eq(tag.as_str()));
        all = all.add(is_among(tagged));
    }
    all
}
