//! Votes. The statements cope with a vote that exists already.

use std::{collections::HashSet, sync::Arc};

use entity::{
    posts,
    values::{PostId, UserId},
    votes,
};
use sea_orm::{
    ConnectionTrait, DbErr, QueryResult,
    sea_query::{Expr, ExprTrait, JoinType, LockType, OnConflict, Order, Query, SelectStatement},
};

use super::{now, posts::visibility::visible_to};
use crate::{
    db::{
        Autocommit, BatchedWrite, Constraint, Db, Found, OnConstraint, SharedRead, Transaction,
        ValuesTable,
    },
    error::Error,
};

/// The voter was deleted after the token was checked.
const USER: Constraint = Constraint::foreign_key("votes_user_id_fkey");
/// The post was deleted after the statement found it. SQLite has one writer, so that this happens
/// on PostgreSQL alone.
const POST: Constraint = Constraint::foreign_key("votes_post_id_fkey");

/// A post's votes after the caller's vote was added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The number of votes for the post.
    pub votes: i64,
    /// True if this call changed anything.
    pub changed: bool,
}

/// A user's vote for a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Vote {
    post_id: PostId,
    user_id: UserId,
}

/// Adds `caller`'s vote for post `post_id`, unless it exists.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::PostGone`]; [`Error::InvalidToken`] if the caller was deleted
/// meanwhile.
pub async fn add(db: &Db, caller: UserId, post_id: PostId) -> Result<Tally, Error> {
    let vote = Vote {
        post_id,
        user_id: caller,
    };
    let changed = db.batched_write::<AddVotes>(vote).await?;
    tally(db, vote, changed).await
}

/// Removes `caller`'s vote for post `post_id`, if it exists.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn remove(db: &Db, caller: UserId, post_id: PostId) -> Result<Tally, Error> {
    let vote = Vote {
        post_id,
        user_id: caller,
    };
    let changed = db.batched_write::<RemoveVotes>(vote).await?;
    tally(db, vote, changed).await
}

/// The primary key.
const KEY: [votes::Column; 2] = [votes::Column::PostId, votes::Column::UserId];

struct AddVotes;

impl BatchedWrite for AddVotes {
    type Row = Vote;
    type Output = bool;

    const ONE_STATEMENT: bool = true;

    async fn write(transaction: &Transaction, wanted: &[Arc<Vote>]) -> Result<Vec<bool>, Error> {
        let wanted: Vec<Vote> = wanted.iter().map(|vote| **vote).collect();
        let visible = locked(transaction, &wanted).expr(Expr::value(now())).take();
        let columns = [
            votes::Column::PostId,
            votes::Column::UserId,
            votes::Column::CreatedAt,
        ];
        let insert = Query::insert()
            .into_table(votes::Entity)
            .columns(columns)
            .select_from(visible)
            .map_err(Error::internal)?
            .on_conflict(OnConflict::columns(KEY).do_nothing().to_owned())
            .returning(Query::returning().columns(KEY))
            .take();
        let inserted = transaction.query_all(&insert).await;
        let inserted =
            inserted.on_constraint([(USER, Error::InvalidToken), (POST, Error::PostGone)])?;
        Ok(changed(&inserted, &wanted)?)
    }
}

struct RemoveVotes;

impl BatchedWrite for RemoveVotes {
    type Row = Vote;
    type Output = bool;

    const ONE_STATEMENT: bool = true;

    /// A vote for a post that became a draft stays.
    async fn write(transaction: &Transaction, wanted: &[Arc<Vote>]) -> Result<Vec<bool>, Error> {
        let wanted: Vec<Vote> = wanted.iter().map(|vote| **vote).collect();
        let vote = Expr::tuple([
            Expr::col(votes::Column::PostId),
            Expr::col(votes::Column::UserId),
        ]);
        let delete = Query::delete()
            .from_table(votes::Entity)
            .and_where(vote.in_subquery(locked(transaction, &wanted)))
            .returning(Query::returning().columns(KEY))
            .take();
        let deleted = transaction.query_all(&delete).await?;
        Ok(changed(&deleted, &wanted)?)
    }
}

/// Selects the posts and users of those of `wanted` whose post the user may see.
fn visible(connection: &impl ConnectionTrait, wanted: &[Vote]) -> SelectStatement {
    let id = (posts::Entity, posts::Column::Id);
    let wanted = ValuesTable::numbered(wanted.len())
        .column("id", wanted.iter().map(|vote| vote.post_id))
        .column("reader", wanted.iter().map(|vote| vote.user_id));
    Query::select()
        .columns([("want", "id"), ("want", "reader")])
        .from(posts::Entity)
        .join_subquery(
            JoinType::InnerJoin,
            wanted.select(connection.get_database_backend()),
            "want",
            Expr::col(id).equals(("want", "id")),
        )
        .cond_where(visible_to(Some(Expr::col(("want", "reader")))))
        .take()
}

/// The same, and locks the posts until the transaction ends, always in the same order: transactions
/// wait for each other before they hold anything that another waits for.
///
/// PostgreSQL takes four times as long if many transactions lock a post for the foreign key of a
/// vote first.
fn locked(connection: &impl ConnectionTrait, wanted: &[Vote]) -> SelectStatement {
    visible(connection, wanted)
        .order_by(("want", "id"), Order::Asc)
        .order_by(("want", "reader"), Order::Asc)
        .lock_with_tables(LockType::NoKeyUpdate, [posts::Entity])
        .take()
}

/// Tells for each of `wanted` if it is in `rows`. Of equal votes only the first is.
fn changed(rows: &[QueryResult], wanted: &[Vote]) -> Result<Vec<bool>, DbErr> {
    let mut changed = HashSet::with_capacity(rows.len());
    for row in rows {
        changed.insert(Vote {
            post_id: row.try_get("", "post_id")?,
            user_id: row.try_get("", "user_id")?,
        });
    }
    Ok(wanted.iter().map(|vote| changed.remove(vote)).collect())
}

/// Reads the number of votes after the commit, so that it includes the votes of others.
async fn tally(db: &Db, vote: Vote, changed: bool) -> Result<Tally, Error> {
    let votes = db.shared_read::<VoteCounts>((), vote).await?;
    let votes = votes.ok_or_else(|| Error::not_found("post", vote.post_id.get()))?;
    Ok(Tally { votes, changed })
}

struct VoteCounts;

impl SharedRead for VoteCounts {
    type Lane = ();
    type Key = Vote;
    type Value = i64;

    async fn read(connection: Autocommit, (): (), wanted: Vec<Vote>) -> Found<Vote, i64> {
        let counts = visible(&connection, &wanted)
            .column(("want", ValuesTable::POSITION))
            .column((posts::Entity, posts::Column::Votes))
            .take();
        let rows = connection.query_all(&counts).await?;
        ValuesTable::by_position(&wanted, &rows, |row| row.try_get("", "votes"))
    }
}
