//! The query for one page of one viewer.

use entity::values::UserId;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, sea_query::Expr};

use super::{
    order::FeedCursor,
    query::FeedQuery,
    select::{FeedRow, FeedSelect, MAX_COUNT, page_of},
};
use crate::{
    db::Autocommit,
    services::{
        paging::Page,
        posts::{
            post::{PostView, select_visible},
            visibility::is_owned_by,
        },
    },
};

/// Reads a page of posts as `viewer` sees them. `None` if they are to be counted, and are too many.
pub(super) async fn list(
    connection: &Autocommit,
    viewer: Option<UserId>,
    query: &FeedQuery,
) -> Result<Option<Page<PostView, FeedCursor>>, DbErr> {
    let backend = connection.get_database_backend();
    let own = viewer.map(Expr::value).map(is_owned_by);
    let Some(select) = FeedSelect::new(query, viewer, own, backend) else {
        let total = query.count.then_some(0);
        return Ok(Some(Page {
            total,
            ..Page::empty()
        }));
    };
    let total = if query.count {
        let total = select.count(connection).await?;
        if total > MAX_COUNT {
            return Ok(None);
        }
        Some(total)
    } else {
        None
    };
    let statement = select.statement(select_visible(viewer.map(Expr::value)));
    let rows = FeedRow::find_by_statement(statement);
    let mut rows = rows.all(connection).await?;
    for row in &mut rows {
        row.post.redact(viewer);
    }
    Ok(Some(Page {
        total,
        ..page_of(rows, query)
    }))
}
