//! Votes: one statement for those that come together, which copes with a vote that is there already.

use std::{collections::HashMap, sync::Arc};

use entity::{posts, votes};
use sea_orm::{
    ConnectionTrait, DbErr, QueryResult, Value,
    sea_query::{Expr, ExprTrait, JoinType, LockType, OnConflict, Order, Query, SelectStatement},
};

use super::{now, posts::visibility::visible_to};
use crate::{
    db::{Db, Each, Found, Pair, Row, Written, by_pair, table},
    error::Error,
};

/// A post's votes after the caller's vote was added or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many users voted for the post.
    pub votes: i64,
    /// Whether this call changed anything.
    pub changed: bool,
}

/// Adds `caller`'s vote for post `post_id`, unless it is there.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::InvalidToken`] when the caller has just been deleted.
pub async fn add(db: &Db, caller: i64, post_id: i64) -> Result<Tally, Error> {
    let vote = [post_id.into(), caller.into()].into();
    let added = db.write_row("votes added", vote, insert).await?;
    tally(db, caller, post_id, added.is_some()).await
}

/// Takes `caller`'s vote for post `post_id` back, if there is one.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn remove(db: &Db, caller: i64, post_id: i64) -> Result<Tally, Error> {
    let vote = [post_id.into(), caller.into()].into();
    let removed = db.write_row("votes removed", vote, delete).await?;
    tally(db, caller, post_id, removed.is_some()).await
}

async fn insert(connection: Each, wanted: Vec<Row>) -> Written {
    let visible = locked(&connection, &wanted).expr(Expr::value(now())).take();
    let columns = [
        votes::Column::PostId,
        votes::Column::UserId,
        votes::Column::CreatedAt,
    ];
    let insert = Query::insert()
        .into_table(votes::Entity)
        .columns(columns)
        .select_from(visible)
        .map_err(|error| DbErr::Custom(error.to_string()))?
        .on_conflict(
            OnConflict::columns([votes::Column::PostId, votes::Column::UserId])
                .do_nothing()
                .to_owned(),
        )
        .returning(Query::returning().columns([votes::Column::PostId, votes::Column::UserId]))
        .take();
    changed(connection.query_all(&insert).await?, &wanted)
}

/// A vote for a post that its owner has made a draft since stays.
async fn delete(connection: Each, wanted: Vec<Row>) -> Written {
    let vote = Expr::tuple([
        Expr::col(votes::Column::PostId),
        Expr::col(votes::Column::UserId),
    ]);
    let delete = Query::delete()
        .from_table(votes::Entity)
        .and_where(vote.in_subquery(locked(&connection, &wanted)))
        .returning(Query::returning().columns([votes::Column::PostId, votes::Column::UserId]))
        .take();
    changed(connection.query_all(&delete).await?, &wanted)
}

/// Those of the `wanted`, numbers of posts and of readers, whose posts their readers may see.
fn visible(connection: &Each, wanted: &[impl AsRef<[Value]>]) -> SelectStatement {
    let backend = connection.get_database_backend();
    let id = (posts::Entity, posts::Column::Id);
    Query::select()
        .columns([("want", "id"), ("want", "reader")])
        .from(posts::Entity)
        .join_subquery(
            JoinType::InnerJoin,
            table(backend, &["id", "reader"], wanted),
            "want",
            Expr::col(id).equals(("want", "id")),
        )
        .cond_where(visible_to(Some(Expr::col(("want", "reader")))))
        .take()
}

/// The same, with their posts locked until the statement ends, in one order for all: so statements
/// wait for each other before they have anything that another waits for. A post that is locked for
/// a vote's foreign key alone first, and by many, costs PostgreSQL four times as much.
fn locked(connection: &Each, wanted: &[Row]) -> SelectStatement {
    visible(connection, wanted)
        .order_by(("want", "id"), Order::Asc)
        .order_by(("want", "reader"), Order::Asc)
        .lock_with_tables(LockType::NoKeyUpdate, [posts::Entity])
        .take()
}

/// Of equal votes that are wanted together, one changes something.
fn changed(rows: Vec<QueryResult>, wanted: &[Row]) -> Written {
    let mut changed = HashMap::with_capacity(rows.len());
    for row in rows {
        let vote: (i64, i64) = (row.try_get("", "post_id")?, row.try_get("", "user_id")?);
        changed.insert(vote, row);
    }
    let of = |vote: &Row| match vote[..] {
        [Value::BigInt(Some(post)), Value::BigInt(Some(user))] => changed.remove(&(post, user)),
        _ => None,
    };
    Ok(wanted.iter().map(of).collect())
}

/// Asked for once the vote is committed: what others did meanwhile counts too.
async fn tally(db: &Db, caller: i64, post_id: i64, changed: bool) -> Result<Tally, Error> {
    let connection = db.read().clone();
    let find = |pairs| tallies(connection, pairs);
    let row = db.row("tallies", (post_id, caller), find).await?;
    let row = row.ok_or(Error::NotFound {
        what: "post",
        id: post_id,
    })?;
    Ok(Tally {
        votes: row.try_get("", "votes")?,
        changed,
    })
}

async fn tallies(connection: Each, pairs: Vec<Pair>) -> Found<Pair, Arc<QueryResult>> {
    let wanted: Vec<_> = pairs
        .iter()
        .map(|&(id, reader)| [id.into(), reader.into()])
        .collect();
    let tallies = visible(&connection, &wanted)
        .column((posts::Entity, posts::Column::Votes))
        .take();
    let rows = connection.query_all(&tallies).await?;
    rows.into_iter().map(by_pair).collect()
}
