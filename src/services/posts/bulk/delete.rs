//! Deleting many posts.

use entity::{
    posts::{Column, Entity},
    values::UserId,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::LockType};

use super::{
    index_work::IndexWork,
    outcome::{Done, Mode, Outcome, Rows, Written},
    targets::{Key, Target, lock, owned},
};
use crate::{
    db::{Db, Transaction, ValuesTable},
    error::Error,
};

/// Deletes the posts of `caller` with `keys`, and their votes.
///
/// # Errors
/// [`Error::TooMuchText`] for all rows together. Each row can fail with [`Error::NotFound`],
/// [`Error::ExternalIdNotFound`], [`Error::NotOwner`] or [`Error::RowRepeated`].
pub async fn delete(db: &Db, caller: UserId, keys: &[Key], mode: Mode) -> Result<Rows, Error> {
    let write = |transaction| async move { write(&transaction, caller, keys, mode).await };
    Ok(db.write_in_turn(caller.get(), write).await?.rows)
}

async fn write(
    transaction: &Transaction,
    caller: UserId,
    keys: &[Key],
    mode: Mode,
) -> Result<Written, Error> {
    let targets = owned(transaction, caller, keys, None).await?;
    let present = targets.iter().filter_map(|target| target.as_ref().ok());
    let present: Vec<&Target> = present.collect();
    let is_written = !mode.atomic || present.len() == targets.len();
    if is_written && !present.is_empty() {
        let mut work = IndexWork::default();
        for target in &present {
            work.delete(target);
        }
        work.check()?;
        lock(transaction, &present, LockType::Update).await?;
        let ids = ValuesTable::new().column("target", present.iter().map(|target| target.id));
        let ids = ids.select(transaction.get_database_backend());
        let delete = Entity::delete_many().filter(Column::Id.in_subquery(ids));
        delete.exec(transaction).await?;
    }
    let rows = targets.into_iter().map(|target| {
        let target = target?;
        Ok(Done {
            outcome: Outcome::Deleted,
            id: Some(target.id),
            version: target.version,
        })
    });
    Ok(mode.conclude(transaction, rows.collect(), 0))
}
