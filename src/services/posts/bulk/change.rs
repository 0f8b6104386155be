//! Changing many posts.

use std::collections::HashSet;

use entity::{posts::ActiveModel, values::UserId};
use sea_orm::ActiveModelTrait;

use super::{
    super::external::external_id_of,
    index_work::IndexWork,
    outcome::{Done, Mode, Outcome, Rows, Written},
    targets::{Key, Target, find, growth, lock_owner, owned},
    update::update,
};
use crate::{
    db::{Db, Transaction},
    error::Error,
    services::quotas::{Quotas, text_bytes},
};

/// Changes the posts of `caller` with `keys`. Each of `changes` has the fields to change in the post with the
/// key at the same position.
///
/// # Errors
/// [`Error::TextQuotaExceeded`] and [`Error::TooMuchText`] for all rows together; [`Error::InvalidToken`] if
/// the caller was deleted meanwhile. Each row can fail with [`Error::NotFound`],
/// [`Error::ExternalIdNotFound`], [`Error::NotOwner`], [`Error::ExternalIdTaken`] or
/// [`Error::RowRepeated`].
pub async fn change(
    db: &Db,
    quotas: &Quotas,
    caller: UserId,
    keys: &[Key],
    changes: &[ActiveModel],
    mode: Mode,
) -> Result<Rows, Error> {
    let mut bytes = 0;
    if changes.iter().any(|changes| text_bytes(changes) > 0) {
        let targets = owned(&db.read_list(), caller, keys, None).await?;
        let rows = targets.iter().zip(changes);
        let grows =
            rows.filter_map(|(target, changes)| Some(growth(changes, Some(target.as_ref().ok()?))));
        bytes = grows.sum();
    }
    let reservation = quotas.reserve_rows(db, caller, 0, bytes).await?;
    let write = |transaction| async move { write(&transaction, caller, keys, changes, mode).await };
    let written = db.write_text_in_turn(caller.get(), |written| written.bytes, write);
    Ok(mode.settle(reservation, written.await)?.rows)
}

async fn write(
    transaction: &Transaction,
    caller: UserId,
    keys: &[Key],
    changes: &[ActiveModel],
    mode: Mode,
) -> Result<Written, Error> {
    if changes
        .iter()
        .any(|changes| external_id_of(changes).is_some())
    {
        lock_owner(transaction, caller).await?;
    }
    let mut targets = owned(transaction, caller, keys, Some(changes)).await?;
    refuse_taken(transaction, caller, &mut targets, changes).await?;
    let is_written = !mode.atomic || targets.iter().all(Result::is_ok);
    let pending = targets.iter().filter_map(|target| target.as_ref().ok());
    let pending: Vec<&Target> = pending
        .filter(|target| is_written && target.changes.is_changed())
        .collect();
    let mut work = IndexWork::default();
    for target in &pending {
        work.change(target);
    }
    work.check()?;
    let mut done = update(transaction, &pending).await?.into_iter();
    let rows = targets.into_iter().map(|target| {
        let target = target?;
        if target.changes.is_changed() {
            return done.next().ok_or(Error::RowNotWritten);
        }
        Ok(Done {
            outcome: Outcome::Unchanged,
            id: Some(target.id),
            version: target.version,
        })
    });
    Ok(mode.conclude(transaction, rows.collect(), work.new_bytes))
}

/// Refuses the rows with an external id that another post has, or that an earlier row sets.
async fn refuse_taken(
    transaction: &Transaction,
    caller: UserId,
    targets: &mut [Result<Target, Error>],
    changes: &[ActiveModel],
) -> Result<(), Error> {
    let mut set = HashSet::new();
    let mut keys = Vec::new();
    for (position, (target, changes)) in targets.iter_mut().zip(changes).enumerate() {
        let Some(external_id) = external_id_of(changes).filter(|_| target.is_ok()) else {
            continue;
        };
        if set.insert(external_id) {
            keys.push((position, Key::ExternalId(external_id.clone())));
        } else {
            *target = Err(Error::RowRepeated);
        }
    }
    let keys: Vec<_> = keys
        .iter()
        .map(|(position, key)| (*position, key))
        .collect();
    for (position, holder) in find(transaction, caller, &keys, None).await? {
        if let Some(target) = targets.get_mut(position)
            && target.as_ref().is_ok_and(|target| target.id != holder.id)
        {
            *target = Err(Error::ExternalIdTaken { id: holder.id });
        }
    }
    Ok(())
}
