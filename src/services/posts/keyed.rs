//! Creating posts whose answers are stored.

use std::sync::Arc;

use entity::{posts::ActiveModel, values::Username};
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
        idempotency::{Keyed, KeyedBatch, KeyedOutput, KeyedRow, StoredAnswer},
        quotas::Quotas,
    },
};

/// Like [`create`](super::create), and stores the answer. Writes nothing if the request is repeated, and
/// returns the stored answer.
///
/// # Errors
/// Those of [`create`](super::create); [`Error::IdempotencyKeyReused`].
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
    let post = KeyedRow {
        row: NewPost {
            post: Arc::new(post),
            owner_username: owner.username,
        },
        user: owner.id,
        keyed,
    };
    let written = db.batched_write::<CreateKeyedPosts>(post).await;
    let answer = match written.flatten() {
        Ok(None) => Err(taken(db, owner.id, external_id).await),
        Ok(Some(answer)) if answer.is_replayed => {
            reservation.release();
            return Ok(answer);
        }
        Ok(Some(answer)) => Ok(answer),
        Err(error) => Err(error),
    };
    reservation.settle(answer)
}

struct CreateKeyedPosts;

struct NewPost {
    post: Arc<ActiveModel>,
    owner_username: Username,
}

impl BatchedWrite for CreateKeyedPosts {
    type Row = KeyedRow<NewPost, PostView>;
    /// `None` if the external id is taken.
    type Output = KeyedOutput;

    fn bytes(row: &Self::Row) -> usize {
        CreatePosts::bytes(&row.row.post)
    }

    fn group(row: &Self::Row) -> i64 {
        CreatePosts::group(&row.row.post)
    }

    async fn write(
        transaction: &Transaction,
        rows: &[Arc<Self::Row>],
    ) -> Result<Vec<KeyedOutput>, Error> {
        let batch = KeyedBatch::find(transaction, rows).await?;
        let posts: Vec<_> = batch
            .new_rows()
            .map(|row| Arc::clone(&row.row.post))
            .collect();
        let inserted = if posts.is_empty() {
            Vec::new()
        } else {
            CreatePosts::write(transaction, &posts).await?
        };
        let views = batch.new_rows().zip(inserted).map(|(row, post)| {
            let owner = row.row.owner_username.clone();
            post.map(|post| PostView::of_new(post, owner))
        });
        let views: Vec<_> = views.collect();
        batch.store(transaction, views).await
    }
}
