//! Reading one post.

use entity::posts;
use sea_orm::{
    ConnectionTrait, FromQueryResult, QueryTrait,
    sea_query::{Expr, ExprTrait, JoinType},
};

use super::post::{Post, select_one, select_visible};
use crate::{
    db::{Autocommit, Db, Found, SharedRead, ValuesTable},
    error::Error,
};

/// Reads post `id` if `viewer` can see it. Concurrent requests share a query.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(db: &Db, viewer: Option<i64>, id: i64) -> Result<Post, Error> {
    let post = db.shared_read::<OnePost>((), Key { id, viewer }).await?;
    post.ok_or(Error::NotFound { what: "post", id })
}

struct OnePost;

/// A post as one viewer sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    id: i64,
    /// `None` for an anonymous viewer.
    viewer: Option<i64>,
}

impl SharedRead for OnePost {
    type Lane = ();
    type Key = Key;
    type Value = Post;

    async fn read(connection: Autocommit, (): (), keys: Vec<Key>) -> Found<Key, Post> {
        let backend = connection.get_database_backend();
        if let [key] = keys[..] {
            let post = Post::find_by_statement(select_one(backend, key.viewer, key.id));
            let post = post.one(&connection).await?;
            return Ok(post.into_iter().map(|post| (key, post)).collect());
        }
        let wanted = ValuesTable::numbered(keys.len())
            .column("id", keys.iter().map(|key| key.id))
            .nullable_column("reader", keys.iter().map(|key| key.viewer));
        let mut select = select_visible(Some(Expr::col(("want", "reader"))));
        let is_wanted = Expr::col((posts::Entity, posts::Column::Id)).equals(("want", "id"));
        QueryTrait::query(&mut select)
            .column(("want", ValuesTable::POSITION))
            .join_subquery(
                JoinType::InnerJoin,
                wanted.select(backend),
                "want",
                is_wanted,
            );
        let rows = connection.query_all_raw(select.build(backend)).await?;
        ValuesTable::by_position(&keys, &rows, |row| Post::from_query_result(row, ""))
    }
}
