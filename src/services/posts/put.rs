//! Creating or replacing the post with an external id.

use entity::{
    posts::{ActiveModel, Column},
    values::{ExternalId, Scope},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, QueryFilter};

use super::{
    Precondition,
    external::{EXTERNAL_ID, OWNER, created_now, id_of},
    post::{PostView, find, lock, update_version},
};
use crate::{
    db::{Db, OnConstraint, insert_all},
    error::Error,
    services::{auth::Identity, now, quotas::Quotas},
};

/// Creates the post of `owner` with `external_id`, or replaces it. `new` has every field that a client can
/// set. Returns true with a new post.
///
/// # Errors
/// [`Error::InsufficientScope`] if there is such a post, and the token may only create posts;
/// [`Error::PreconditionFailed`] and [`Error::NothingToMatch`]; [`Error::InvalidToken`] if the owner was
/// deleted meanwhile; [`Error::PostQuotaExceeded`] and [`Error::TextQuotaExceeded`].
pub async fn put(
    db: &Db,
    quotas: &Quotas,
    owner: &Identity,
    external_id: ExternalId,
    precondition: &Precondition,
    new: ActiveModel,
) -> Result<(PostView, bool), Error> {
    let new = &ActiveModel {
        owner_id: Set(owner.id),
        external_id: Set(Some(external_id.clone())),
        ..new
    };
    let external_id = &external_id;
    let reservation = match id_of(db.read(), owner.id, external_id).await? {
        Some(id) => quotas.reserve_edit(db, owner.id, id, new).await?,
        None => quotas.reserve_new(db, owner.id, new).await?,
    };
    let bytes = |(post, _): &(PostView, bool)| post.indexed_bytes();
    let written = db.write_text_in_turn(owner.id.get(), bytes, |transaction| async move {
        // Between two statements, PostgreSQL may commit those of another request.
        let again = || Error::try_again("the external id was taken or given up");
        let Some(id) = id_of(&transaction, owner.id, external_id).await? else {
            precondition.check_missing()?;
            let row = insert_all(&transaction, created_now(), vec![new.clone()]).await;
            let row = row.on_constraint([(EXTERNAL_ID, again()), (OWNER, Error::InvalidToken)])?;
            let row = row.into_iter().next().ok_or_else(again)?;
            return Ok((PostView::of_new(row, owner.username.clone()), true));
        };
        if precondition.is_set() {
            lock(&transaction, id).await?;
            let post = find(&transaction, Some(owner.id), id).await?;
            precondition.check(id, post.ok_or_else(again)?.row.version)?;
        }
        // After the condition: with `If-None-Match: *` nothing is replaced.
        let scope = Scope::PostsUpdate;
        if !owner.scopes.contains(scope) {
            return Err(Error::InsufficientScope { scope });
        }
        let changes = ActiveModel {
            updated_at: Set(now()),
            ..new.clone()
        };
        let replaced = update_version(changes)
            .filter(Column::Id.eq(id))
            .filter(Column::ExternalId.eq(external_id.clone()))
            .exec(&transaction)
            .await?;
        let post = find(&transaction, Some(owner.id), id).await?;
        let post = post.filter(|_| replaced.rows_affected == 1);
        Ok((post.ok_or_else(again)?, false))
    });
    reservation.settle(written.await)
}
