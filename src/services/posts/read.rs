//! Reading a single post.

use entity::{
    posts,
    values::{PostId, UserId},
};
use sea_orm::{
    ConnectionTrait, FromQueryResult, QueryTrait,
    sea_query::{Expr, ExprTrait, JoinType},
};

use super::post::{PostView, select_one, select_visible};
use crate::{
    db::{Autocommit, Db, Found, SharedRead, ValuesTable},
    error::Error,
};

/// Reads post `id` if `viewer` can see it. Concurrent requests share a query.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(db: &Db, viewer: Option<UserId>, id: PostId) -> Result<PostView, Error> {
    let post = db.shared_read::<OnePost>((), Key { id, viewer }).await?;
    post.ok_or_else(|| Error::not_found("post", id.get()))
}

struct OnePost;

/// A post and its viewer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    id: PostId,
    /// `None` if anonymous.
    viewer: Option<UserId>,
}

impl SharedRead for OnePost {
    type Parameters = ();
    type Key = Key;
    type Value = PostView;

    async fn read(connection: Autocommit, (): (), keys: Vec<Key>) -> Found<Key, PostView> {
        let backend = connection.get_database_backend();
        if let [key] = keys[..] {
            let post = PostView::find_by_statement(select_one(backend, key.viewer, key.id));
            let post = post.one(&connection).await?;
            let post = post.map(|post| (key, post.seen_by(key.viewer)));
            return Ok(post.into_iter().collect());
        }
        let requested = ValuesTable::numbered(keys.len())
            .column("id", keys.iter().map(|key| key.id))
            .nullable_column("viewer", keys.iter().map(|key| key.viewer));
        let mut select = select_visible(Some(Expr::col(("requested", "viewer"))));
        let post_id = Expr::col((posts::Entity, posts::Column::Id));
        QueryTrait::query(&mut select)
            .column(("requested", ValuesTable::POSITION))
            .join_subquery(
                JoinType::InnerJoin,
                requested.select(backend),
                "requested",
                post_id.equals(("requested", "id")),
            );
        let rows = connection.query_all_raw(select.build(backend)).await?;
        let mut posts =
            ValuesTable::by_position(&keys, &rows, |row| PostView::from_query_result(row, ""))?;
        for (key, post) in &mut posts {
            post.redact(key.viewer);
        }
        Ok(posts)
    }
}
