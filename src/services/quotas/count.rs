//! The queries that count.

use std::time::Duration;

use entity::{
    idempotency_keys,
    posts::{ActiveModel, Column, Entity},
    values::{PostId, UserId},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait, Func, Query},
};
use tokio::time::timeout;

use super::{ANSWER_BYTES, Usage};
use crate::{
    db::{Db, octets, subquery},
    error::Error,
};

/// A count is cancelled after this time. 100,000 posts of 10 kB take 0.1 s; if SQLite's file is not in
/// memory, they take 3 s. It is longer than the wait for a connection (5 s), so that a busy pool is an
/// error, and shorter than the time limit of a statement (10 s).
const LIMIT: Duration = Duration::from_secs(8);

/// The bytes of the texts and the metadata that `post` sets.
pub(in crate::services) fn text_bytes(post: &ActiveModel) -> usize {
    let title = post.title.try_as_ref().map(|title| title.as_str().len());
    let content = post.content.try_as_ref();
    let content = content.map(|content| content.as_str().len());
    let metadata = post.metadata.try_as_ref().and_then(Option::as_ref);
    let metadata = metadata.map(|metadata| metadata.as_str().len());
    [title, content, metadata].into_iter().flatten().sum()
}

/// Counts the usage of user `id`.
///
/// The statement has no ORDER BY and no LIMIT: PostgreSQL could then scan the posts of all users by id.
///
/// # Errors
/// [`Error::TooSlow`] after [`LIMIT`]; [`Error::Unavailable`], [`Error::Busy`].
pub(super) async fn usage(db: Db, id: UserId) -> Result<Usage, Error> {
    let sum = |bytes: Expr| Func::coalesce([bytes.sum(), Expr::value(0)]);
    let columns = [Column::Content, Column::Metadata];
    let bytes = columns.map(octets).into_iter();
    let texts = sum(bytes.fold(octets(Column::Title), ExprTrait::add));
    // Of 32 bits, because PostgreSQL's sum of numbers of 64 bits is `numeric`.
    let body = octets(idempotency_keys::Column::Body);
    let answers = Query::select()
        .expr(sum(body.add(i32::from(ANSWER_BYTES))))
        .from(idempotency_keys::Entity)
        .and_where(Expr::col(idempotency_keys::Column::Caller).eq(id))
        .take();
    let answers = subquery(answers);
    let count = Entity::find()
        .select_only()
        .expr_as(Column::Id.count(), "posts")
        .expr_as(Expr::from(texts).add(answers), "bytes")
        .filter(Column::OwnerId.eq(id));
    let connection = db.read_list();
    let statement = count.build(connection.get_database_backend());
    let row = timeout(LIMIT, connection.query_one_raw(statement)).await;
    let Some(row) = row.map_err(Error::too_slow)?? else {
        return Ok(Usage::default());
    };
    let number = |name| Ok::<_, DbErr>(row.try_get::<i64>("", name)?.unsigned_abs());
    Ok(Usage {
        posts: number("posts")?,
        bytes: number("bytes")?,
    })
}

/// The bytes of those texts of post `id` of `owner` that `changes` replaces. `None` if there is no such
/// post.
pub(super) async fn replaced_bytes(
    db: &Db,
    owner: UserId,
    id: PostId,
    changes: &ActiveModel,
) -> Result<Option<u64>, Error> {
    let columns = [
        (Column::Title, changes.title.is_set()),
        (Column::Content, changes.content.is_set()),
        (Column::Metadata, changes.metadata.is_set()),
    ];
    let replaced = columns.into_iter().filter(|(_, is_set)| *is_set);
    let bytes = replaced.fold(Expr::value(0), |sum, (column, _)| sum.add(octets(column)));
    let post = Entity::find()
        .select_only()
        .expr_as(bytes.cast_as("bigint"), "bytes")
        .filter(Column::Id.eq(id))
        .filter(Column::OwnerId.eq(owner));
    let statement = post.build(db.read().get_database_backend());
    let row = db.read().query_one_raw(statement).await?;
    let bytes = row.map(|row| row.try_get::<i64>("", "bytes")).transpose()?;
    Ok(bytes.map(i64::unsigned_abs))
}
