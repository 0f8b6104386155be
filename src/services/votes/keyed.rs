//! Votes whose answers are stored.

use std::{marker::PhantomData, sync::Arc};

use entity::values::{PostId, UserId};

use super::{AddVotes, RemoveVotes, Tally, Vote, counts, tally};
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
    B: BatchedWrite<Row = Vote, Output = bool>,
{
    let vote = Vote {
        post_id,
        user_id: caller,
    };
    let row = KeyedRow {
        row: Arc::new(vote),
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

/// The writes of `B`, whose answers are stored.
struct KeyedVotes<B>(PhantomData<B>);

impl<B> BatchedWrite for KeyedVotes<B>
where
    B: BatchedWrite<Row = Vote, Output = bool>,
{
    type Row = KeyedRow<Arc<Vote>, Tally>;
    /// `None` if the vote exists already, or is missing already.
    type Output = KeyedOutput;

    fn group(row: &Self::Row) -> i64 {
        B::group(&row.row)
    }

    async fn write(
        transaction: &Transaction,
        rows: &[Arc<Self::Row>],
    ) -> Result<Vec<KeyedOutput>, Error> {
        let batch = KeyedBatch::find(transaction, rows).await?;
        let requested: Vec<_> = batch.new_rows().map(|row| Arc::clone(&row.row)).collect();
        let tallies = write_votes::<B>(transaction, &requested).await?;
        batch.store(transaction, tallies).await
    }
}

/// Writes the `requested` votes by `B`. `None` for a vote that is not changed.
async fn write_votes<B>(
    transaction: &Transaction,
    requested: &[Arc<Vote>],
) -> Result<Vec<Option<Tally>>, Error>
where
    B: BatchedWrite<Row = Vote, Output = bool>,
{
    if requested.is_empty() {
        return Ok(Vec::new());
    }
    let changed = B::write(transaction, requested).await?;
    let votes = requested.iter().zip(&changed);
    let votes: Vec<Vote> = votes
        .filter_map(|(vote, changed)| changed.then_some(**vote))
        .collect();
    let counts = if votes.is_empty() {
        Vec::new()
    } else {
        counts(transaction, &votes).await?
    };
    let tally = |(vote, changed): (&Arc<Vote>, bool)| {
        // Each of the changed votes is another one.
        let count = counts.iter().find(|(other, _)| *other == **vote);
        let (vote, votes) = count.filter(|_| changed)?;
        Some(Tally {
            post_id: vote.post_id,
            votes: *votes,
            changed,
        })
    };
    Ok(requested.iter().zip(changed).map(tally).collect())
}
