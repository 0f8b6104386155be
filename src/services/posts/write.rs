//! Creating, changing and deleting posts.

use std::sync::Arc;

use entity::{
    posts::{ActiveModel, Column, Entity, Model},
    users::Role,
    values::{PostId, Reason, UserId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter,
    sea_query::Expr,
};

use super::{
    post::{PostView, find},
    visibility::visible_to,
};
use crate::{
    db::{BatchedWrite, Constraint, Db, OnConstraint, Transaction, insert_all},
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

/// The owner was deleted after the token was checked.
const OWNER: Constraint = Constraint::foreign_key("posts_owner_id_fkey");

/// Creates a post of `owner`. `new` has every field that a client can set.
///
/// # Errors
/// [`Error::InvalidToken`] if the owner was deleted meanwhile; [`Error::PostQuotaExceeded`] and
/// [`Error::TextQuotaExceeded`].
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
    Ok(PostView {
        row: reservation.settle(db.batched_write::<CreatePosts>(post).await)?,
        owner_username: owner.username,
        voted: false,
    })
}

pub(super) struct CreatePosts;

impl BatchedWrite for CreatePosts {
    type Row = ActiveModel;
    type Output = Model;

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
    ) -> Result<Vec<Model>, Error> {
        let now = now();
        let common = ActiveModel {
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        let posts = posts.iter().map(|post| ActiveModel::clone(post));
        let posts = insert_all(transaction, common, posts.collect()).await;
        posts.on_constraint([(OWNER, Error::InvalidToken)])
    }
}

/// Changes post `id` of `caller` and returns the new version. `changes` has the fields to change.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotOwner`], [`Error::TextQuotaExceeded`].
pub async fn update(
    db: &Db,
    quotas: &Quotas,
    caller: UserId,
    id: PostId,
    changes: ActiveModel,
) -> Result<PostView, Error> {
    let is_empty = !changes.is_changed();
    let reservation = quotas.reserve_edit(db, caller, id, &changes).await?;
    let changes = &ActiveModel {
        updated_at: Set(now()),
        ..changes
    };
    let bytes = |post: &PostView| post.row.title.as_str().len() + post.row.content.as_str().len();
    let written = db.write_text_in_turn(caller.get(), bytes, |transaction| async move {
        if !is_empty {
            Entity::update_many()
                .set(changes.clone())
                .col_expr(Column::Version, Expr::col(Column::Version).add(1))
                .filter(Column::Id.eq(id))
                .filter(Column::OwnerId.eq(caller))
                .exec(&transaction)
                .await?;
        }
        owned(&transaction, caller, id).await
    });
    reservation.settle(written.await)
}

/// Deletes post `id` and its votes. A moderator may delete posts of other users, in a session with every
/// scope; the audit log then gets an entry with `reason`.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotOwner`].
pub async fn delete(db: &Db, caller: &Identity, id: PostId, reason: &Reason) -> Result<(), Error> {
    db.write_in_turn(caller.id.get(), |transaction| async move {
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

/// Reads post `id` of `caller`.
///
/// # Errors
/// [`Error::NotFound`] if the caller cannot see it; [`Error::NotOwner`].
async fn owned(transaction: &Transaction, caller: UserId, id: PostId) -> Result<PostView, Error> {
    let post = find(transaction, Some(caller), id)
        .await?
        .ok_or_else(|| Error::not_found("post", id.get()))?;
    if post.row.owner_id == caller {
        Ok(post)
    } else {
        Err(Error::NotOwner { id })
    }
}
