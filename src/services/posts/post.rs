//! A post and the statements that select it.

use entity::{
    posts::{ActiveModel, Column, Entity, Model},
    users,
    values::{PostId, UserId, Username},
    votes,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    QuerySelect, QueryTrait, Select, Statement, UpdateMany,
    sea_query::{Expr, ExprTrait, LockType, Query, SimpleExpr},
};

use super::visibility::{is_owned_by, visible_with_owner};
use crate::{
    db::{Transaction, subquery},
    error::Error,
};

/// A post as one viewer sees it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct PostView {
    /// The row of the post.
    #[sea_orm(nested)]
    pub row: Model,
    /// The owner's username.
    pub owner_username: Username,
    /// True if the viewer voted for the post.
    pub voted: bool,
}

impl PostView {
    /// A post that its owner created just now.
    pub(super) fn of_new(row: Model, owner_username: Username) -> Self {
        Self {
            row,
            owner_username,
            voted: false,
        }
    }

    /// The bytes that the search index gets: those of title and content, in UTF-8.
    pub(super) fn indexed_bytes(&self) -> usize {
        self.row.title.as_str().len() + self.row.content.as_str().len()
    }

    /// Removes what `viewer` must not see: the external id of another user's post, which may be a key of a
    /// private system.
    pub(super) fn redact(&mut self, viewer: Option<UserId>) {
        if Some(self.row.owner_id) != viewer {
            self.row.external_id = None;
        }
    }

    /// [`redact`](Self::redact) by value.
    pub(super) fn seen_by(mut self, viewer: Option<UserId>) -> Self {
        self.redact(viewer);
        self
    }
}

/// Reads post `id` if `viewer` can see it.
pub(super) async fn find(
    connection: &impl ConnectionTrait,
    viewer: Option<UserId>,
    id: PostId,
) -> Result<Option<PostView>, Error> {
    let statement = select_one(connection.get_database_backend(), viewer, id);
    let post = PostView::find_by_statement(statement);
    let post = post.one(connection).await?;
    Ok(post.map(|post| post.seen_by(viewer)))
}

/// Selects post `id`. It is a plain statement because `one()` of a select binds `LIMIT 1` as a
/// parameter, which makes PostgreSQL slower.
pub(super) fn select_one(backend: DbBackend, viewer: Option<UserId>, id: PostId) -> Statement {
    let select = select_visible(viewer.map(Expr::value)).filter(Column::Id.eq(id));
    select.build(backend)
}

/// Selects the posts that `viewer` sees, with the columns of [`PostView`].
pub(super) fn select_visible(viewer: Option<Expr>) -> Select<Entity> {
    let voted = viewer.clone().map_or(Expr::value(false), voted_by);
    select_all(voted).filter(visible_with_owner(viewer.map(is_owned_by)))
}

/// Selects all posts, visible or not, with the columns of [`PostView`].
pub(super) fn select_all(voted: SimpleExpr) -> Select<Entity> {
    Entity::find()
        .column_as(users::Column::Username, "owner_username")
        .expr_as(voted, "voted")
        .inner_join(users::Entity)
}

/// True if `user` voted for the post. A scalar subquery looks up one vote for each post; for
/// `EXISTS`, a planner may read all votes of the user.
pub(super) fn voted_by(user: Expr) -> SimpleExpr {
    let vote = Query::select()
        .column((votes::Entity, votes::Column::UserId))
        .from(votes::Entity)
        .and_where(Expr::col((votes::Entity, votes::Column::PostId)).equals((Entity, Column::Id)))
        .and_where(Expr::col((votes::Entity, votes::Column::UserId)).eq(user))
        .take();
    subquery(vote).is_not_null()
}

/// Sets `changes` in a post, whose version grows by 1. The caller adds the filter.
pub(super) fn update_version(changes: ActiveModel) -> UpdateMany<Entity> {
    Entity::update_many()
        .set(changes)
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
}

/// Keeps others from changing post `id` until the transaction ends. Votes wait too.
pub(super) async fn lock(transaction: &Transaction, id: PostId) -> Result<(), Error> {
    let lock = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Expr::col(Column::Id).eq(id))
        .lock(LockType::NoKeyUpdate)
        .take();
    transaction.query_all(&lock).await?;
    Ok(())
}
