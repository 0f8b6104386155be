//! Posts and drafts: who sees them, who may change them.

mod feed;
mod read;
mod search;
mod write;

use entity::{posts, users, votes};
pub use feed::{Page, Position, Query, Sort, page};
pub use read::get;
use sea_orm::{
    Condition, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QuerySelect,
    QueryTrait, Select, Statement,
    sea_query::{Expr, ExprTrait, Query as Sql, SimpleExpr},
};
use time::OffsetDateTime;

use crate::error::Error;
pub use write::{Changes, NewPost, create, delete, update};

/// A post as one reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Post {
    /// Its number.
    pub id: i64,
    /// 1 to 300 characters.
    pub title: String,
    /// 1 to 40,000 characters.
    pub content: String,
    /// False for a draft.
    pub published: bool,
    /// At most 10, each 1 to 30 of `[a-z0-9-]`, with a space between them.
    pub tags: String,
    /// When it was written.
    pub created_at: OffsetDateTime,
    /// When its owner last changed it.
    pub updated_at: OffsetDateTime,
    /// 1, and one more with every change by its owner.
    pub version: i64,
    /// The number of who wrote it.
    pub owner_id: i64,
    /// The name of who wrote it.
    pub owner_username: String,
    /// How many users voted for it.
    pub votes: i64,
    /// Whether the reader did.
    pub voted: bool,
}

async fn find(
    connection: &impl ConnectionTrait,
    reader: Option<i64>,
    id: i64,
) -> Result<Option<Post>, Error> {
    let statement = post_of(connection.get_database_backend(), reader, id);
    Ok(Post::find_by_statement(statement).one(connection).await?)
}

/// Asks for post `id`. `one()` of the select itself would bind its LIMIT 1 as a parameter, which
/// costs.
fn post_of(backend: DbBackend, reader: Option<i64>, id: i64) -> Statement {
    let select = visible_posts(reader.map(Expr::value)).filter(posts::COLUMN.id.eq(id));
    select.build(backend)
}

/// What `reader` may see, as [`Post`]s.
fn visible_posts(reader: Option<Expr>) -> Select<posts::Entity> {
    let voted = reader.clone().map_or(Expr::value(false), vote_of);
    posts_with(voted).filter(readable(reader.map(is_of)))
}

/// [`Post`]s, whoever may see them.
fn posts_with(voted: SimpleExpr) -> Select<posts::Entity> {
    use posts::Column as P;
    posts::Entity::find()
        .select_only()
        .columns([P::Id, P::Title, P::Content, P::Published, P::Tags])
        .columns([P::CreatedAt, P::UpdatedAt, P::Version, P::OwnerId, P::Votes])
        .column_as(users::Column::Username, "owner_username")
        .expr_as(voted, "voted")
        .inner_join(users::Entity)
}

/// Whether the post is `reader`'s.
fn is_of(reader: Expr) -> Expr {
    Expr::col((posts::Entity, posts::Column::OwnerId)).eq(reader)
}

/// What may be read by one who has the posts that are their `own`, where a post's owner is joined.
fn readable(own: Option<Expr>) -> Condition {
    Condition::all()
        .add(published_or(own))
        .add(users::COLUMN.suspended_at.is_null())
}

fn published_or(own: Option<Expr>) -> Condition {
    // The column itself: compared with a parameter, PostgreSQL would plan each search anew.
    let published = Expr::col((posts::Entity, posts::Column::Published));
    Condition::any().add(published).add_option(own)
}

/// What `reader` may read, on the columns of `posts` alone.
pub(super) fn visible_to(reader: Option<Expr>) -> Condition {
    visible(reader.map(is_of))
}

/// As [`readable`], on the columns of `posts` alone.
fn visible(own: Option<Expr>) -> Condition {
    // A partial index has these few.
    let suspended = Sql::select()
        .column(users::Column::Id)
        .from(users::Entity)
        .and_where(Expr::col(users::Column::SuspendedAt).is_not_null())
        .take();
    Condition::all()
        .add(published_or(own))
        .add(Expr::col((posts::Entity, posts::Column::OwnerId)).not_in_subquery(suspended))
}

/// Whether `reader` voted for the post: looked up post by post, and not, as `EXISTS` may be, in all
/// of the reader's votes.
fn vote_of(reader: Expr) -> SimpleExpr {
    let vote = Sql::select()
        .column((votes::Entity, votes::Column::UserId))
        .from(votes::Entity)
        .and_where(
            Expr::col((votes::Entity, votes::Column::PostId))
                .equals((posts::Entity, posts::Column::Id)),
        )
        .and_where(Expr::col((votes::Entity, votes::Column::UserId)).eq(reader))
        .take();
    SimpleExpr::SubQuery(None, Box::new(vote.into())).is_not_null()
}
