//! The visibility rule for posts. A viewer sees published posts of users who are not suspended, and
//! their own drafts.

use entity::{posts, users};
use sea_orm::{
    Condition,
    sea_query::{Expr, ExprTrait, Query},
};

/// Posts that `viewer` sees, as a condition on columns of `posts` only. `None` is an anonymous
/// viewer.
pub(in crate::services) fn visible_to(viewer: Option<Expr>) -> Condition {
    visible(viewer.map(is_owned_by))
}

/// Published posts and those that match `own`, as a condition on columns of `posts` only.
pub(super) fn visible(own: Option<Expr>) -> Condition {
    // Fast: a partial index contains the few suspended users.
    let suspended = Query::select()
        .column(users::Column::Id)
        .from(users::Entity)
        .and_where(Expr::col(users::Column::SuspendedAt).is_not_null())
        .take();
    Condition::all()
        .add(published_or(own))
        .add(Expr::col((posts::Entity, posts::Column::OwnerId)).not_in_subquery(suspended))
}

/// The same as [`visible`], for statements that join the owner as `users`.
pub(in crate::services) fn visible_with_owner(own: Option<Expr>) -> Condition {
    Condition::all()
        .add(published_or(own))
        .add(users::COLUMN.suspended_at.is_null())
}

/// True if the post belongs to user `id`.
pub(super) fn is_owned_by(id: Expr) -> Expr {
    Expr::col((posts::Entity, posts::Column::OwnerId)).eq(id)
}

fn published_or(own: Option<Expr>) -> Condition {
    // Not `published = $1`: PostgreSQL would then replan every search.
    let published = Expr::col((posts::Entity, posts::Column::Published));
    Condition::any().add(published).add_option(own)
}
