//! Votes. Adding an existing vote and removing a missing one change nothing.

mod import;
mod keyed;

use std::{collections::HashSet, marker::PhantomData, sync::Arc};

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
        Autocommit, BatchedWrite, Constraint, Db, Found, OnConstraint, RowFilter, SharedRead,
        Transaction, ValuesTable,
    },
    error::Error,
};
pub(super) use import::insert;
pub use keyed::{add_keyed, remove_keyed};

/// The voter was deleted after the token was checked.
const USER: Constraint = Constraint::foreign_key("votes_user_id_fkey");
/// The post was deleted after the statement found it. SQLite has one writer, so that this happens
/// only on PostgreSQL.
const POST: Constraint = Constraint::foreign_key("votes_post_id_fkey");

/// A post's votes after the caller's vote was added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The post.
    pub post_id: PostId,
    /// The number of votes for the post.
    pub votes: i64,
    /// True if this call added or removed a vote.
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
/// [`Error::NotFound`]; [`Error::PostDeleted`]; [`Error::InvalidToken`] if the caller was deleted
/// meanwhile.
pub async fn add(db: &Db, caller: UserId, post_id: PostId) -> Result<Tally, Error> {
    change::<AddVotes>(db, caller, post_id).await
}

/// Removes `caller`'s vote for post `post_id`, if it exists.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn remove(db: &Db, caller: UserId, post_id: PostId) -> Result<Tally, Error> {
    change::<RemoveVotes>(db, caller, post_id).await
}

async fn change<C: ChangeVotes>(db: &Db, caller: UserId, post_id: PostId) -> Result<Tally, Error> {
    let vote = Vote {
        post_id,
        user_id: caller,
    };
    let changed = db.batched_write::<Changes<C>>(vote).await?;
    tally(db, vote, changed).await
}

/// The primary key.
const KEY: [votes::Column; 2] = [votes::Column::PostId, votes::Column::UserId];

/// A statement that adds or removes votes.
trait ChangeVotes: Send + Sync + 'static {
    /// Adds or removes those of the `requested` votes that fulfil `filter`. Returns those that have changed.
    fn change(
        transaction: &Transaction,
        requested: &[Vote],
        filter: Option<RowFilter>,
    ) -> impl Future<Output = Result<Vec<Vote>, Error>> + Send;
}

/// Batches of the changes `C`.
struct Changes<C>(PhantomData<C>);

impl<C: ChangeVotes> BatchedWrite for Changes<C> {
    type Row = Vote;
    type Output = bool;

    /// Remove this to let [`write`](BatchedWrite::write) run a second statement.
    const ONE_STATEMENT: bool = true;

    fn group(vote: &Vote) -> i64 {
        vote.post_id.get()
    }

    async fn write(transaction: &Transaction, requested: &[Arc<Vote>]) -> Result<Vec<bool>, Error> {
        let requested: Vec<Vote> = requested.iter().map(|vote| **vote).collect();
        let changed = C::change(transaction, &requested, None).await?;
        Ok(is_changed(&changed, &requested))
    }
}

struct AddVotes;

impl ChangeVotes for AddVotes {
    async fn change(
        transaction: &Transaction,
        requested: &[Vote],
        filter: Option<RowFilter>,
    ) -> Result<Vec<Vote>, Error> {
        let select = select_and_lock(transaction, requested, filter)
            .expr(Expr::value(now()))
            .take();
        let columns = [
            votes::Column::PostId,
            votes::Column::UserId,
            votes::Column::CreatedAt,
        ];
        let insert = Query::insert()
            .into_table(votes::Entity)
            .columns(columns)
            .select_from(select)
            .map_err(Error::internal)?
            .on_conflict(OnConflict::columns(KEY).do_nothing().to_owned())
            .returning(Query::returning().columns(KEY))
            .take();
        let inserted = transaction.query_all(&insert).await;
        let inserted =
            inserted.on_constraint([(USER, Error::InvalidToken), (POST, Error::PostDeleted)])?;
        Ok(votes_of(&inserted)?)
    }
}

struct RemoveVotes;

impl ChangeVotes for RemoveVotes {
    /// Does not delete a vote for a post that the user cannot see, such as one that became a draft.
    async fn change(
        transaction: &Transaction,
        requested: &[Vote],
        filter: Option<RowFilter>,
    ) -> Result<Vec<Vote>, Error> {
        let vote = Expr::tuple([
            Expr::col(votes::Column::PostId),
            Expr::col(votes::Column::UserId),
        ]);
        let delete = Query::delete()
            .from_table(votes::Entity)
            .and_where(vote.in_subquery(select_and_lock(transaction, requested, filter)))
            .returning(Query::returning().columns(KEY))
            .take();
        let deleted = transaction.query_all(&delete).await?;
        Ok(votes_of(&deleted)?)
    }
}

/// Selects post id and user id of the `requested` votes whose post is visible to the user.
fn select_visible(
    connection: &impl ConnectionTrait,
    requested: &[Vote],
    filter: Option<RowFilter>,
) -> SelectStatement {
    let id = (posts::Entity, posts::Column::Id);
    let mut requested = ValuesTable::numbered(requested.len())
        .column("post_id", requested.iter().map(|vote| vote.post_id))
        .column("user_id", requested.iter().map(|vote| vote.user_id));
    let mut select = Query::select();
    if let Some(filter) = filter {
        requested = filter.apply(requested, &mut select);
    }
    select
        .columns([("requested", "post_id"), ("requested", "user_id")])
        .from(posts::Entity)
        .join_subquery(
            JoinType::InnerJoin,
            requested.select(connection.get_database_backend()),
            "requested",
            Expr::col(id).equals(("requested", "post_id")),
        )
        .cond_where(visible_to(Some(Expr::col(("requested", "user_id")))))
        .take()
}

/// Like [`select_visible`], and locks the posts until the transaction ends. All transactions lock
/// posts in the same order, so that they cannot deadlock.
///
/// Without this lock PostgreSQL takes four times as long when many transactions vote for one post,
/// because each locks the post for the foreign key of its vote.
fn select_and_lock(
    connection: &impl ConnectionTrait,
    requested: &[Vote],
    filter: Option<RowFilter>,
) -> SelectStatement {
    select_visible(connection, requested, filter)
        .order_by(("requested", "post_id"), Order::Asc)
        .order_by(("requested", "user_id"), Order::Asc)
        .lock_with_tables(LockType::NoKeyUpdate, [posts::Entity])
        .take()
}

fn votes_of(rows: &[QueryResult]) -> Result<Vec<Vote>, DbErr> {
    let vote = |row: &QueryResult| {
        Ok(Vote {
            post_id: row.try_get("", "post_id")?,
            user_id: row.try_get("", "user_id")?,
        })
    };
    rows.iter().map(vote).collect()
}

/// For each of the `requested` votes, true if it is one of the `changed`. For equal votes, only the first is
/// true.
fn is_changed(changed: &[Vote], requested: &[Vote]) -> Vec<bool> {
    let mut changed: HashSet<&Vote> = changed.iter().collect();
    requested.iter().map(|vote| changed.remove(vote)).collect()
}

/// Reads the number of votes after the commit, so that it includes the votes of others.
async fn tally(db: &Db, vote: Vote, changed: bool) -> Result<Tally, Error> {
    let votes = db.shared_read::<VoteCounts>((), vote).await?;
    let votes = votes.ok_or_else(|| Error::not_found("post", vote.post_id.get()))?;
    Ok(Tally {
        post_id: vote.post_id,
        votes,
        changed,
    })
}

struct VoteCounts;

impl SharedRead for VoteCounts {
    type Parameters = ();
    type Key = Vote;
    type Value = i64;

    async fn read(connection: Autocommit, (): (), requested: Vec<Vote>) -> Found<Vote, i64> {
        counts(&connection, &requested).await
    }
}

/// The number of votes for the post of each of the `requested` votes that is visible to the user.
async fn counts(connection: &impl ConnectionTrait, requested: &[Vote]) -> Found<Vote, i64> {
    let counts = select_visible(connection, requested, None)
        .column(("requested", ValuesTable::POSITION))
        .column((posts::Entity, posts::Column::Votes))
        .take();
    let rows = connection.query_all(&counts).await?;
    ValuesTable::by_position(requested, &rows, |row| row.try_get("", "votes"))
}
