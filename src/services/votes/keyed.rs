//! Votes whose answers are stored.

use std::{collections::HashMap, marker::PhantomData, sync::Arc};

use entity::values::{PostId, UserId};

use super::{AddVotes, ChangeVotes, RemoveVotes, Tally, Vote, counts, is_changed, tally};
use crate::{
    db::{BatchedWrite, Db, Transaction},
    error::Error,
    services::idempotency::{Keyed, KeyedBatch, KeyedOutput, KeyedRow, StoredAnswer},
};

/// Adds `caller`'s vote for post `post_id`, and stores the answer. `None` if the vote exists already.
/// Writes nothing if the request is repeated, and returns the stored answer.
///
/// # Errors
/// Those of [`add`](super::add); [`Error::IdempotencyKeyReused`].
pub async fn add_keyed(
    db: &Db,
    caller: UserId,
    post_id: PostId,
    keyed: Keyed<Tally>,
) -> Result<Option<StoredAnswer>, Error> {
    write::<AddVotes>(db, caller, post_id, keyed).await
}

/// Removes `caller`'s vote for post `post_id`, and stores the answer. `None` if there is none. Writes nothing
/// if the request is repeated, and returns the stored answer.
///
/// # Errors
/// Those of [`remove`](super::remove); [`Error::IdempotencyKeyReused`].
pub async fn remove_keyed(
    db: &Db,
    caller: UserId,
    post_id: PostId,
    keyed: Keyed<Tally>,
) -> Result<Option<StoredAnswer>, Error> {
    write::<RemoveVotes>(db, caller, post_id, keyed).await
}

async fn write<B>(
    db: &Db,
    caller: UserId,
    post_id: PostId,
    keyed: Keyed<Tally>,
) -> Result<Option<StoredAnswer>, Error>
where
    B: ChangeVotes,
{
    let vote = Vote {
        post_id,
        user_id: caller,
    };
    let row = KeyedRow {
        row: vote,
        user: caller,
        keyed,
    };
    let answer = db.batched_write::<KeyedVotes<B>>(row).await??;
    if answer.is_none() {
        // Fails if the caller cannot see the post.
        tally(db, vote, false).await?;
    }
    Ok(answer)
}

/// The changes of `B`, whose answers are stored.
struct KeyedVotes<B>(PhantomData<B>);

impl<B: ChangeVotes> BatchedWrite for KeyedVotes<B> {
    type Row = KeyedRow<Vote, Tally>;
    /// `None` if the vote exists already, or is missing already.
    type Output = KeyedOutput;

    fn group(row: &Self::Row) -> i64 {
        row.row.post_id.get()
    }

    async fn write(
        transaction: &Transaction,
        rows: &[Arc<Self::Row>],
    ) -> Result<Vec<KeyedOutput>, Error> {
        let mut batch = KeyedBatch::new(rows);
        let requested: Vec<Vote> = rows.iter().map(|row| row.row).collect();
        let is_new = batch.is_new();
        let votes = B::change(transaction, &requested, Some(is_new)).await?;
        if votes.len() < rows.len() {
            batch.find(transaction).await?;
        }
        let requested: Vec<Vote> = batch.new_rows().map(|row| row.row).collect();
        let changed = is_changed(&votes, &requested);
        if changed.iter().filter(|changed| **changed).count() != votes.len() {
            return Err(Error::try_again("a vote belongs to no request"));
        }
        let counts: HashMap<Vote, i64> = if votes.is_empty() {
            HashMap::new()
        } else {
            counts(transaction, &votes).await?.into_iter().collect()
        };
        let tally = |(vote, changed): (&Vote, bool)| {
            let votes = counts.get(vote).filter(|_| changed)?;
            Some(Tally {
                post_id: vote.post_id,
                votes: *votes,
                changed,
            })
        };
        batch
            .store(transaction, requested.iter().zip(changed).map(tally))
            .await
    }
}
