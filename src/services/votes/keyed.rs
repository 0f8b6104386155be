//! Votes whose answers are stored.

use std::{marker::PhantomData, sync::Arc};

use entity::values::{PostId, UserId};

use super::{AddVotes, RemoveVotes, Tally, Vote, counts, tally};
use crate::{
    db::{BatchedWrite, Db, Transaction},
    error::Error,
    services::idempotency::{Keyed, StoredAnswer, store_all},
};

/// Adds `caller`'s vote for post `post_id`, and stores the answer. `None` if the vote exists already.
///
/// # Errors
/// Those of [`add`](super::add); [`Error::IdempotencyKeyInUse`].
pub async fn add_keyed(
    db: &Db,
    caller: UserId,
    post_id: PostId,
    keyed: Keyed<Tally>,
) -> Result<Option<StoredAnswer>, Error> {
    write::<AddVotes>(db, caller, post_id, keyed).await
}

/// Removes `caller`'s vote for post `post_id`, and stores the answer. `None` if there is none.
///
/// # Errors
/// Those of [`remove`](super::remove); [`Error::IdempotencyKeyInUse`].
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
    let row = KeyedVote {
        vote: Arc::new(vote),
        keyed,
    };
    let answer = db.batched_write::<KeyedVotes<B>>(row).await?;
    if answer.is_none() {
        // Fails if the caller cannot see the post.
        tally(db, vote, false).await?;
    }
    Ok(answer)
}

/// The writes of `B`, whose answers are stored.
struct KeyedVotes<B>(PhantomData<B>);

struct KeyedVote {
    vote: Arc<Vote>,
    keyed: Keyed<Tally>,
}

impl<B> BatchedWrite for KeyedVotes<B>
where
    B: BatchedWrite<Row = Vote, Output = bool>,
{
    type Row = KeyedVote;
    type Output = Option<StoredAnswer>;

    fn group(row: &KeyedVote) -> i64 {
        B::group(&row.vote)
    }

    async fn write(
        transaction: &Transaction,
        rows: &[Arc<KeyedVote>],
    ) -> Result<Vec<Option<StoredAnswer>>, Error> {
        let votes: Vec<_> = rows.iter().map(|row| Arc::clone(&row.vote)).collect();
        let changed = B::write(transaction, &votes).await?;
        let votes: Vec<Vote> = votes
            .iter()
            .zip(&changed)
            .filter_map(|(vote, changed)| changed.then_some(**vote))
            .collect();
        if votes.is_empty() {
            return Ok(rows.iter().map(|_| None).collect());
        }
        let counts = counts(transaction, &votes).await?;
        let (mut answers, mut stored) = (Vec::with_capacity(rows.len()), Vec::new());
        for (row, changed) in rows.iter().zip(changed) {
            // Each of the changed votes is another one.
            let count = counts.iter().find(|(vote, _)| *vote == *row.vote);
            let Some((vote, count)) = count.filter(|_| changed) else {
                answers.push(None);
                continue;
            };
            let tally = Tally {
                post_id: vote.post_id,
                votes: *count,
                changed,
            };
            let (answer, row) = row.keyed.answer(vote.user_id, &tally)?;
            answers.push(Some(answer));
            stored.push(row);
        }
        store_all(transaction, stored).await?;
        Ok(answers)
    }
}
