//! A post and the statements that select it.

use entity::{posts, users, votes};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, QueryTrait,
    Select, Statement,
    sea_query::{Expr, ExprTrait, Query, SimpleExpr},
};
use time::OffsetDateTime;

use super::visibility::{is_owned_by, visible_with_owner};
use crate::error::Error;

/// A post as one viewer sees it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Post {
    /// The post's id.
    pub id: i64,
    /// 1 to 300 characters.
    pub title: String,
    /// 1 to 40,000 characters.
    pub content: String,
    /// False for a draft.
    pub published: bool,
    /// At most 10 tags of 1 to 30 characters `[a-z0-9-]`, separated by spaces.
    pub tags: String,
    /// Time of creation.
    pub created_at: OffsetDateTime,
    /// Time of the owner's last change.
    pub updated_at: OffsetDateTime,
    /// Starts at 1. Every change by the owner adds 1.
    pub version: i64,
    /// The owner's id.
    pub owner_id: i64,
    /// The owner's username.
    pub owner_username: String,
    /// Number of votes.
    pub votes: i64,
    /// True if the viewer voted for the post.
    pub voted: bool,
}

/// Reads post `id` if `viewer` can see it.
pub(super) async fn find(
    connection: &impl ConnectionTrait,
    viewer: Option<i64>,
    id: i64,
) -> Result<Option<Post>, Error> {
    let statement = select_one(connection.get_database_backend(), viewer, id);
    Ok(Post::find_by_statement(statement).one(connection).await?)
}

/// Selects post `id`. It is a plain statement because `one()` of a select binds `LIMIT 1` as a
/// parameter, which makes PostgreSQL slower.
pub(super) fn select_one(backend: DbBackend, viewer: Option<i64>, id: i64) -> Statement {
    let select = select_visible(viewer.map(Expr::value)).filter(posts::COLUMN.id.eq(id));
    select.build(backend)
}

/// Selects the posts that `viewer` sees, with the columns of [`Post`].
pub(super) fn select_visible(viewer: Option<Expr>) -> Select<posts::Entity> {
    let voted = viewer.clone().map_or(Expr::value(false), voted_by);
    select_all(voted).filter(visible_with_owner(viewer.map(is_owned_by)))
}

/// Selects all posts, visible or not, with the columns of [`Post`].
pub(super) fn select_all(voted: SimpleExpr) -> Select<posts::Entity> {
    use posts::Column as P;
    posts::Entity::find()
        .select_only()
        .columns([P::Id, P::Title, P::Content, P::Published, P::Tags])
        .columns([P::CreatedAt, P::UpdatedAt, P::Version, P::OwnerId, P::Votes])
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
        .and_where(
            Expr::col((votes::Entity, votes::Column::PostId))
                .equals((posts::Entity, posts::Column::Id)),
        )
        .and_where(Expr::col((votes::Entity, votes::Column::UserId)).eq(user))
        .take();
    SimpleExpr::SubQuery(None, Box::new(vote.into())).is_not_null()
}
