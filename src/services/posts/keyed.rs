//! Creating posts whose answers are stored.

use std::sync::Arc;

use entity::{
    posts::ActiveModel,
    values::{UserId, Username},
};
use sea_orm::ActiveValue::Set;

use super::{post::PostView, write::CreatePosts};
use crate::{
    db::{BatchedWrite, Db, Transaction},
    error::Error,
    services::{
        auth::Identity,
        idempotency::{Keyed, StoredAnswer, store_all},
        quotas::Quotas,
    },
};

/// Like [`create`](super::create), and stores the answer.
///
/// # Errors
/// Those of [`create`](super::create); [`Error::IdempotencyKeyInUse`].
pub async fn create_keyed(
    db: &Db,
    quotas: &Quotas,
    owner: Identity,
    new: ActiveModel,
    keyed: Keyed<PostView>,
) -> Result<StoredAnswer, Error> {
    let post = ActiveModel {
        owner_id: Set(owner.id),
        ..new
    };
    let reservation = quotas.reserve_new(db, owner.id, &post).await?;
    let post = KeyedPost {
        post: Arc::new(post),
        owner_id: owner.id,
        owner_username: owner.username,
        keyed,
    };
    reservation.settle(db.batched_write::<CreateKeyedPosts>(post).await)
}

struct CreateKeyedPosts;

struct KeyedPost {
    post: Arc<ActiveModel>,
    owner_id: UserId,
    owner_username: Username,
    keyed: Keyed<PostView>,
}

impl BatchedWrite for CreateKeyedPosts {
    type Row = KeyedPost;
    type Output = StoredAnswer;

    fn bytes(row: &KeyedPost) -> usize {
        CreatePosts::bytes(&row.post)
    }

    fn group(row: &KeyedPost) -> i64 {
        CreatePosts::group(&row.post)
    }

    async fn write(
        transaction: &Transaction,
        rows: &[Arc<KeyedPost>],
    ) -> Result<Vec<StoredAnswer>, Error> {
        let posts: Vec<_> = rows.iter().map(|row| Arc::clone(&row.post)).collect();
        let inserted = CreatePosts::write(transaction, &posts).await?;
        let answers = inserted.into_iter().zip(rows).map(|(post, row)| {
            let post = PostView {
                row: post,
                owner_username: row.owner_username.clone(),
                voted: false,
            };
            row.keyed.answer(row.owner_id, &post)
        });
        let answers = answers.collect::<Result<Vec<_>, Error>>()?;
        let (answers, stored) = answers.into_iter().unzip();
        store_all(transaction, stored).await?;
        Ok(answers)
    }
}
