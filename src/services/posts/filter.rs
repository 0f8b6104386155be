//! Which posts belong to a list.

use entity::{
    post_tags,
    posts::{COLUMN, Column, Entity},
    votes,
};
use sea_orm::{
    Condition, DbBackend, IntoSimpleExpr, QueryFilter, Select,
    sea_query::{BinOper, Expr, ExprTrait, Func},
};

use super::{Query, vote_of};
use crate::db::comparable;

/// Those of `select` that fit `query`; `None` when no post can.
pub(super) fn fitting(
    mut select: Select<Entity>,
    reader: Option<i64>,
    query: &Query,
    backend: DbBackend,
) -> Option<Select<Entity>> {
    if let Some(owner_id) = query.owner_id {
        select = select.filter(COLUMN.owner_id.eq(owner_id));
    }
    if let Some(published) = query.published {
        select = select.filter(COLUMN.published.eq(published));
        if !published {
            // Only one's own drafts are visible, which neither planner concludes by itself.
            select = select.filter(COLUMN.owner_id.eq(reader?));
        }
    }
    match (query.voted, reader) {
        (Some(true), reader) => {
            select = select
                .inner_join(votes::Entity)
                .filter(votes::COLUMN.user_id.eq(reader?));
        }
        (Some(false), Some(reader)) => select = select.filter(vote_of(Expr::value(reader)).not()),
        (Some(false), None) | (None, _) => {}
    }
    if let Some(tag) = &query.tag {
        select = select
            .inner_join(post_tags::Entity)
            .filter(post_tags::COLUMN.tag.eq(tag.as_str()));
    }
    let written = |moment| comparable(backend, COLUMN.created_at.into_simple_expr(), moment);
    if let Some((written, moment)) = query.created_after.map(written) {
        select = select.filter(written.gt(moment));
    }
    if let Some((written, moment)) = query.created_before.map(written) {
        select = select.filter(written.lt(moment));
    }
    for word in query.search.split_whitespace() {
        let pattern = pattern(word);
        select = select.filter(
            Condition::any()
                .add(contains(Column::Title, &pattern))
                .add(contains(Column::Content, &pattern)),
        );
    }
    Some(select)
}

/// Letters compare without case as far as the database's `lower` knows them: ASCII on SQLite, the
/// locale's on PostgreSQL.
fn contains(column: Column, pattern: &str) -> Expr {
    let pattern =
        Expr::from(Func::lower(pattern)).binary(BinOper::Escape, Expr::Constant('!'.into()));
    Func::lower(Expr::col((Entity, column))).binary(BinOper::Like, pattern)
}

/// `word` anywhere, none of its characters an operator.
fn pattern(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len() + 2);
    pattern.push('%');
    for letter in word.chars() {
        if matches!(letter, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
