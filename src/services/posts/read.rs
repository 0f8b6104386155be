//! Reading one post.

use std::sync::Arc;

use entity::posts;
use sea_orm::{
    ConnectionTrait, FromQueryResult, QueryResult, QueryTrait,
    sea_query::{Expr, ExprTrait, JoinType},
};

use super::post::{Post, select_one, select_visible};
use crate::{
    db::{Db, Each, Found, Pair, by_pair, table},
    error::Error,
};

/// Reads post `id` if `viewer` can see it. Concurrent requests share a query.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(db: &Db, viewer: Option<i64>, id: i64) -> Result<Post, Error> {
    let connection = db.read().clone();
    let find = |pairs| rows(connection, pairs);
    let row = db.row("posts", (id, viewer.unwrap_or(0)), find).await?;
    let row = row.ok_or(Error::NotFound { what: "post", id })?;
    Ok(Post::from_query_result(&row, "")?)
}

async fn rows(connection: Each, pairs: Vec<Pair>) -> Found<Pair, Arc<QueryResult>> {
    let backend = connection.get_database_backend();
    if let [(id, reader)] = pairs[..] {
        let reader = Some(reader).filter(|reader| *reader > 0);
        let row = connection
            .query_one_raw(select_one(backend, reader, id))
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
    let mut select = select_visible(Some(Expr::col(("want", "reader"))));
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
