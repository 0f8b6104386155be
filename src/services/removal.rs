//! Removal of deleted accounts in small transactions, so that no request waits long for a lock.
//!
//! The state is in the database: a user with `deleted_at` is to be removed, and the row of the user
//! goes last. After a crash the next start continues. Several servers may remove one account: each
//! step locks the user.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use entity::{
    posts,
    users::{Column, Entity},
    values::{PostId, UserId},
    votes,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
    sea_query::{Expr, ExprTrait, Query},
};
use tokio::{sync::Notify, time::sleep};

use super::idempotency;
use crate::{
    db::{Db, First, Transaction, ValuesTable, octets, page},
    error::Error,
};

/// Maximum number of posts that one step deletes.
const POSTS: u64 = 100;
/// A step deletes no further post after this many bytes of text. SQLite takes about 0.1 ms for each
/// kilobyte, because it removes each word from the search index.
const BYTES: i64 = 100_000;
/// Maximum number of votes that one step deletes.
const VOTES: u64 = 200;
/// Shortest pause between two steps.
const MIN_PAUSE: Duration = Duration::from_millis(5);

/// Wakes the job that removes deleted accounts. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Removals(Arc<Notify>);

impl Removals {
    pub(super) fn notify(&self) {
        self.0.notify_one();
    }

    /// Waits until an account was deleted since the last call.
    pub async fn notified(&self) {
        self.0.notified().await;
    }
}

/// Removes every deleted account.
///
/// # Errors
/// [`Error::Unavailable`]. The next call continues.
pub async fn remove_all(db: &Db) -> Result<(), Error> {
    while let Some(user) = deleted().first(db.read()).await? {
        remove(db, user.id).await?;
    }
    Ok(())
}

/// The deleted users, whom a partial index contains.
fn deleted() -> Select<Entity> {
    Entity::find().filter(Column::DeletedAt.is_not_null())
}

/// Pauses after each step for as long as it took, so that the job takes at most half of the time of
/// SQLite's only writer.
async fn remove(db: &Db, id: UserId) -> Result<(), Error> {
    let mut rows = 0;
    loop {
        let started = Instant::now();
        match db
            .write(|transaction| async move { step(&transaction, id).await })
            .await?
        {
            Step::Removed(more) => rows += more,
            Step::Finished => {
                tracing::info!(user_id = id.get(), rows, "removed a deleted account");
                return Ok(());
            }
            Step::Gone => return Ok(()),
        }
        sleep(started.elapsed().max(MIN_PAUSE)).await;
    }
}

enum Step {
    /// This many posts, votes and stored answers are deleted, and more may remain.
    Removed(u64),
    /// The user is deleted, the last row.
    Finished,
    /// Another server deleted the user.
    Gone,
}

async fn step(transaction: &Transaction, id: UserId) -> Result<Step, Error> {
    let user = deleted().filter(Column::Id.eq(id)).lock_exclusive();
    if user.first(transaction).await?.is_none() {
        return Ok(Step::Gone);
    }
    let given = delete_votes(transaction, votes::Column::UserId.eq(id)).await?;
    if given > 0 {
        return Ok(Step::Removed(given));
    }
    if let Some(answers) = idempotency::delete_some_of(transaction, id).await? {
        return Ok(Step::Removed(answers));
    }
    let posts = next_posts(transaction, id).await?;
    let Some(first) = posts.first() else {
        // Foreign keys and triggers delete what a request in progress added meanwhile.
        Entity::delete_by_id(id).exec(transaction).await?;
        return Ok(Step::Finished);
    };
    if first.votes > VOTES {
        let votes = delete_votes(transaction, votes::Column::PostId.eq(first.id)).await?;
        // None if the count of the post is wrong.
        if votes > 0 {
            return Ok(Step::Removed(votes));
        }
    }
    let ids = ValuesTable::new().column("id", posts.iter().map(|post| post.id));
    let ids = ids.select(transaction.get_database_backend());
    posts::Entity::delete_many()
        .filter(posts::Column::Id.in_subquery(ids))
        .exec(transaction)
        .await?;
    Ok(Step::Removed(posts.iter().map(|post| 1 + post.votes).sum()))
}

/// A post to delete.
struct Post {
    id: PostId,
    votes: u64,
}

/// The first posts of user `id`, as many as one step deletes.
async fn next_posts(transaction: &Transaction, id: UserId) -> Result<Vec<Post>, DbErr> {
    let bytes = octets(posts::Column::Title).add(octets(posts::Column::Content));
    let select = posts::Entity::find()
        .select_only()
        .columns([posts::Column::Id, posts::Column::Votes])
        .expr_as(bytes.cast_as("bigint"), "bytes")
        .filter(posts::Column::OwnerId.eq(id))
        .order_by_asc(posts::Column::Id);
    let statement = page(select.build(transaction.get_database_backend()), POSTS, 0);
    let (mut all, mut bytes, mut votes) = (Vec::new(), 0, 0);
    for row in transaction.query_all_raw(statement).await? {
        bytes += row.try_get::<i64>("", "bytes")?;
        let post = Post {
            id: row.try_get("", "id")?,
            votes: row.try_get::<i64>("", "votes")?.unsigned_abs(),
        };
        votes += post.votes;
        if !all.is_empty() && (bytes > BYTES || votes > VOTES) {
            break;
        }
        all.push(post);
    }
    Ok(all)
}

/// Deletes up to [`VOTES`] of the votes that match `of`, and returns their number. Triggers update
/// the counts of their posts.
async fn delete_votes(transaction: &Transaction, of: Expr) -> Result<u64, DbErr> {
    let key = [votes::Column::PostId, votes::Column::UserId];
    let step = Query::select()
        .columns(key)
        .from(votes::Entity)
        .and_where(of)
        .limit(VOTES)
        .take();
    let key = Expr::tuple(key.map(Expr::col));
    let delete = votes::Entity::delete_many().filter(key.in_subquery(step));
    Ok(delete.exec(transaction).await?.rows_affected)
}
