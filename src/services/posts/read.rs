//! One post, for many who ask at once.

use std::sync::Arc;

use entity::posts;
use sea_orm::{
    ConnectionTrait, FromQueryResult, QueryResult, QueryTrait,
    sea_query::{Expr, ExprTrait, JoinType},
};

use super::{Post, post_of, visible_posts};
use crate::{
    db::{Db, Each, Found, Pair, by_pair, table},
    error::Error,
};

/// The post with number `id`, if `reader` may see it. Requests that come at the same time share a
/// query.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(db: &Db, reader: Option<i64>, id: i64) -> Result<Post, Error> {
    let connection = db.read().clone();
    let find = |pairs| rows(connection, pairs);
    let row = db.row("posts", (id, reader.unwrap_or(0)), find).await?;
    let row = row.ok_or(Error::NotFound { what: "post", id })?;
    Ok(Post::from_query_result(&row, "")?)
}

async fn rows(connection: Each, pairs: Vec<Pair>) -> Found<Pair, Arc<QueryResult>> {
    let backend = connection.get_database_backend();
    if let [(id, reader)] = pairs[..] {
        let reader = Some(reader).filter(|reader| *reader > 0);
        let row = connection
            .query_one_raw(post_of(backend, reader, id))
            .await?;
        return Ok(row
            .map(|row| ((id, reader.unwrap_or(0)), Arc::new(row)))
            .into_iter()
            .collect());
    }
    let wanted: Vec<_> = pairs
        .iter()
        .map(|&(id, reader)| [id.into(), reader.into()])
        .collect();
    let mut select = visible_posts(Some(Expr::col(("want", "reader"))));
    let is_wanted = Expr::col((posts::Entity, posts::Column::Id)).equals(("want", "id"));
    QueryTrait::query(&mut select)
        .column(("want", "reader"))
        .join_subquery(
            JoinType::InnerJoin,
            table(backend, &["id", "reader"], &wanted),
            "want",
            is_wanted,
        );
    let rows = connection.query_all_raw(select.build(backend)).await?;
    rows.into_iter().map(by_pair).collect()
}
