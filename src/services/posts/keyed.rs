//! Creating posts whose answers are stored.

use std::sync::Arc;

use entity::{posts::ActiveModel, values::Username};
use sea_orm::ActiveValue::Set;

use super::{
    external::{OWNER, created_now, external_id_of},
    post::PostView,
    write::{CreatePosts, by_post, unless_taken},
};
use crate::{
    db::{BatchedWrite, Db, OnConstraint, Transaction, insert_new},
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
    let reservation = quotas.reserve_new(db, owner.id, &post).await?;
    let post = KeyedRow {
        row: NewPost {
            post: Arc::new(post),
            owner_username: owner.username,
        },
        user: owner.id,
        keyed,
    };
    let create = async || {
        let written = db.batched_write::<CreateKeyedPosts>(post.clone()).await;
        written.flatten()
    };
    let external_id = external_id_of(&post.row.post);
    let answer = unless_taken(db, owner.id, external_id, create).await;
    if answer.as_ref().is_ok_and(|answer| answer.is_replayed) {
        reservation.release();
        return answer;
    }
    reservation.settle(answer)
}

struct CreateKeyedPosts;

#[derive(Clone)]
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
        let mut batch = KeyedBatch::new(rows);
        let posts = rows.iter().map(|row| ActiveModel::clone(&row.row.post));
        let (posts, is_new) = (posts.collect(), batch.is_new());
        let inserted = insert_new(transaction, created_now(), posts, Some(is_new)).await;
        let inserted = inserted.on_constraint([(OWNER, Error::InvalidToken)])?;
        if inserted.len() < rows.len() {
            batch.find(transaction).await?;
        }
        let posts = batch.new_rows().map(|row| &*row.row.post);
        let inserted = by_post(posts, inserted)?;
        let mut views = Vec::with_capacity(inserted.len());
        for (row, post) in batch.new_rows().zip(inserted) {
            if post.is_none() && external_id_of(&row.row.post).is_none() {
                return Err(Error::try_again("a stored answer was deleted meanwhile"));
            }
            let owner = row.row.owner_username.clone();
            views.push(post.map(|post| PostView::of_new(post, owner)));
        }
        batch.store(transaction, views).await
    }
}
