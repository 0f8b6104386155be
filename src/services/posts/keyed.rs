//! Creating posts whose answers are stored.

use std::sync::Arc;

use entity::{
    posts::ActiveModel,
    values::{UserId, Username},
};
use sea_orm::ActiveValue::Set;

use super::{
    external::external_id_of,
    post::PostView,
    write::{CreatePosts, taken},
};
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
    let external_id = external_id_of(&post).cloned();
    let reservation = quotas.reserve_new(db, owner.id, &post).await?;
    let post = KeyedPost {
        post: Arc::new(post),
        owner_id: owner.id,
        owner_username: owner.username,
        keyed,
    };
    let answer = match db.batched_write::<CreateKeyedPosts>(post).await {
        Ok(None) => Err(taken(db, owner.id, external_id).await),
        Ok(Some(answer)) => Ok(answer),
        Err(error) => Err(error),
    };
    reservation.settle(answer)
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
    /// `None` if the external id is taken: then no answer is stored.
    type Output = Option<StoredAnswer>;

    fn bytes(row: &KeyedPost) -> usize {
        CreatePosts::bytes(&row.post)
    }

    fn group(row: &KeyedPost) -> i64 {
        CreatePosts::group(&row.post)
    }

    async fn write(
        transaction: &Transaction,
        rows: &[Arc<KeyedPost>],
    ) -> Result<Vec<Option<StoredAnswer>>, Error> {
        let posts: Vec<_> = rows.iter().map(|row| Arc::clone(&row.post)).collect();
        let inserted = CreatePosts::write(transaction, &posts).await?;
        let (mut answers, mut stored) = (Vec::with_capacity(rows.len()), Vec::new());
        for (post, row) in inserted.into_iter().zip(rows) {
            let view = |post| PostView::of_new(post, row.owner_username.clone());
            let answer = post.map(|post| row.keyed.answer(row.owner_id, &view(post)));
            let (answer, to_store) = answer.transpose()?.unzip();
            answers.push(answer);
            stored.extend(to_store);
        }
        store_all(transaction, stored).await?;
        Ok(answers)
    }
}
