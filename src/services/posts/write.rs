//! Creating, changing and deleting posts.

use std::sync::Arc;

use entity::{
    posts::{ActiveModel, Column, Entity, Model},
    users::Role,
    values::{ExternalId, PostId, Reason, UserId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr,
};

use super::{
    Precondition,
    external::{EXTERNAL_ID, OWNER, created_now, external_id_of, id_of},
    post::{PostView, find, lock, update_version},
    visibility::visible_to,
};
use crate::{
    db::{BatchedWrite, Db, OnConstraint, Transaction, insert_all, insert_new},
    error::Error,
    services::{
        auth::Identity,
        moderation::{
            audit_log::{Action, NewAuditEntry, record},
            require_role,
        },
        now,
        quotas::{Quotas, text_bytes},
    },
};

/// Attempts at creating a post whose external id is taken and given up again.
const ATTEMPTS: usize = 10;

/// Creates a post of `owner`. `new` has every field that a client can set.
///
/// # Errors
/// [`Error::InvalidToken`] if the owner was deleted meanwhile; [`Error::ExternalIdTaken`];
/// [`Error::PostQuotaExceeded`] and [`Error::TextQuotaExceeded`].
pub async fn create(
    db: &Db,
    quotas: &Quotas,
    owner: Identity,
    new: ActiveModel,
) -> Result<PostView, Error> {
    let post = ActiveModel {
        owner_id: Set(owner.id),
        ..new
    };
    let reservation = quotas.reserve_new(db, owner.id, &post).await?;
    let create = || db.batched_write::<CreatePosts>(post.clone());
    let row = unless_taken(db, owner.id, external_id_of(&post), create).await;
    let row = reservation.settle(row)?;
    Ok(PostView::of_new(row, owner.username))
}

/// Creates a post by `create`, which returns `None` if its external id is taken. Tries again if the post that
/// had it was deleted since.
///
/// # Errors
/// [`Error::ExternalIdTaken`], and those of `create`.
pub(super) async fn unless_taken<T, F, R>(
    db: &Db,
    owner: UserId,
    external_id: Option<&ExternalId>,
    create: F,
) -> Result<T, Error>
where
    F: Fn() -> R,
    R: Future<Output = Result<Option<T>, Error>>,
{
    for _ in 0..ATTEMPTS {
        if let Some(created) = create().await? {
            return Ok(created);
        }
        let external_id = external_id.ok_or_else(|| Error::internal("no row was inserted"))?;
        if let Some(id) = id_of(db.read(), owner, external_id).await? {
            return Err(Error::ExternalIdTaken { id });
        }
    }
    let again = "each post with the same external id was deleted meanwhile";
    Err(Error::unavailable(again))
}

pub(super) struct CreatePosts;

impl BatchedWrite for CreatePosts {
    type Row = ActiveModel;
    /// `None` if the external id is taken. That must not fail the other rows.
    type Output = Option<Model>;

    /// Remove this to let [`write`](BatchedWrite::write) run a second statement.
    const ONE_STATEMENT: bool = true;

    fn bytes(post: &ActiveModel) -> usize {
        text_bytes(post)
    }

    /// The owner.
    fn group(post: &ActiveModel) -> i64 {
        let owner = post.owner_id.try_as_ref();
        owner.map_or(0, |owner| owner.get())
    }

    async fn write(
        transaction: &Transaction,
        posts: &[Arc<ActiveModel>],
    ) -> Result<Vec<Option<Model>>, Error> {
        let rows = posts.iter().map(|post| ActiveModel::clone(post)).collect();
        if posts.iter().all(|post| external_id_of(post).is_none()) {
            let inserted = insert_all(transaction, created_now(), rows).await;
            let inserted = inserted.on_constraint([(OWNER, Error::InvalidToken)])?;
            return Ok(inserted.into_iter().map(Some).collect());
        }
        let inserted = insert_new(transaction, created_now(), rows, None).await;
        let inserted = inserted.on_constraint([(OWNER, Error::InvalidToken)])?;
        by_post(posts.iter().map(|post| &**post), inserted)
    }
}

/// The row of each of `posts`; `None` if it was not inserted. `inserted` is in the order of `posts`.
///
/// # Errors
/// [`Error::TryAgain`] if a row belongs to none of them.
pub(super) fn by_post<'a>(
    posts: impl Iterator<Item = &'a ActiveModel>,
    inserted: Vec<Model>,
) -> Result<Vec<Option<Model>>, Error> {
    let mut inserted = inserted.into_iter().peekable();
    let is_row = |row: &Model, post: &ActiveModel| {
        post.owner_id.try_as_ref() == Some(&row.owner_id)
            && external_id_of(post) == row.external_id.as_ref()
            && post.title.try_as_ref() == Some(&row.title)
            && post.content.try_as_ref() == Some(&row.content)
    };
    let rows = posts.map(|post| inserted.next_if(|row| is_row(row, post)));
    let rows = rows.collect();
    match inserted.next() {
        None => Ok(rows),
        Some(_) => Err(Error::try_again("a row belongs to no post")),
    }
}

/// Changes post `id` of `caller` and returns the new version. `changes` has the fields to change.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotOwner`], [`Error::PreconditionFailed`],
/// [`Error::ExternalIdTaken`], [`Error::TextQuotaExceeded`].
pub async fn update(
    db: &Db,
    quotas: &Quotas,
    caller: UserId,
    id: PostId,
    precondition: &Precondition,
    changes: ActiveModel,
) -> Result<PostView, Error> {
    let is_empty = !changes.is_changed();
    let reservation = quotas.reserve_edit(db, caller, id, &changes).await?;
    let changes = &ActiveModel {
        updated_at: Set(now()),
        ..changes
    };
    let written = db.write_text_in_turn(
        caller.get(),
        PostView::indexed_bytes,
        |transaction| async move {
            if precondition.is_set() {
                lock(&transaction, id).await?;
                let post = owned(&transaction, caller, id).await?;
                precondition.check(id, post.row.version)?;
            }
            if let Some(external_id) = external_id_of(changes)
                && let Some(other) = id_of(&transaction, caller, external_id).await?
                && other != id
            {
                // First, because only the owner may learn of it.
                owned(&transaction, caller, id).await?;
                return Err(Error::ExternalIdTaken { id: other });
            }
            if !is_empty {
                update_version(changes.clone())
                    .filter(Column::Id.eq(id))
                    .filter(Column::OwnerId.eq(caller))
                    .exec(&transaction)
                    .await
                    .on_constraint([(
                        EXTERNAL_ID,
                        Error::try_again("the external id was taken"),
                    )])?;
            }
            owned(&transaction, caller, id).await
        },
    );
    reservation.settle(written.await)
}

/// Deletes post `id` and its votes. A moderator may delete posts of other users, in a session with every
/// scope; the audit log then gets an entry with `reason`.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotOwner`], [`Error::PreconditionFailed`].
pub async fn delete(
    db: &Db,
    caller: &Identity,
    id: PostId,
    precondition: &Precondition,
    reason: &Reason,
) -> Result<(), Error> {
    db.write_in_turn(caller.id.get(), |transaction| async move {
        if precondition.is_set() {
            lock(&transaction, id).await?;
            let post = if caller.acts_as(Role::Moderator) {
                visible(&transaction, caller.id, id).await?
            } else {
                owned(&transaction, caller.id, id).await?
            };
            precondition.check(id, post.row.version)?;
        }
        let mut delete = Entity::delete_many().filter(Column::Id.eq(id));
        if caller.acts_as(Role::Moderator) {
            delete = delete.filter(visible_to(Some(Expr::value(caller.id))));
        } else {
            delete = delete.filter(Column::OwnerId.eq(caller.id));
        }
        let deleted = delete.exec_with_returning(&transaction).await?;
        let Some(post) = deleted.into_iter().next() else {
            owned(&transaction, caller.id, id).await?;
            return Ok(());
        };
        if post.owner_id != caller.id {
            require_role(&transaction, Some(caller.id), Role::Moderator).await?;
            let entry = NewAuditEntry {
                actor: &caller.into(),
                action: Action::DeletePost,
                subject_id: id.get(),
                owner_id: Some(post.owner_id),
                subject: post.title.as_str(),
                reason,
            };
            record(&transaction, entry).await?;
        }
        Ok(())
    })
    .await
}

/// Reads post `id` as `caller` sees it.
///
/// # Errors
/// [`Error::NotFound`] if the caller cannot see it.
async fn visible(transaction: &Transaction, caller: UserId, id: PostId) -> Result<PostView, Error> {
    let post = find(transaction, Some(caller), id).await?;
    post.ok_or_else(|| Error::not_found("post", id.get()))
}

/// Reads post `id` of `caller`.
///
/// # Errors
/// [`Error::NotFound`] if the caller cannot see it; [`Error::NotOwner`].
async fn owned(transaction: &Transaction, caller: UserId, id: PostId) -> Result<PostView, Error> {
    let post = visible(transaction, caller, id).await?;
    if post.row.owner_id == caller {
        Ok(post)
    } else {
        Err(Error::NotOwner { id })
    }
}
