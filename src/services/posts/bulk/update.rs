//! Changing many posts by few statements.

use std::collections::HashMap;

use entity::{
    posts::{ActiveModel, Column, Entity},
    values::PostId,
};
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, IntoIden, LockType, Query, TableRef},
};

use super::{
    super::external::EXTERNAL_ID,
    outcome::{Done, Outcome},
    rows::{changed, with_changes},
    targets::{Target, lock},
};
use crate::{
    db::{OnConstraint, Transaction, ValuesTable},
    error::Error,
    services::now,
};

/// Changes posts that differ from their rows.
///
/// # Errors
/// [`Error::TryAgain`] if another request changed one of them, or took an external id.
pub(super) async fn update(
    transaction: &Transaction,
    targets: &[&Target],
) -> Result<Vec<Done>, Error> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    lock(transaction, targets, LockType::NoKeyUpdate).await?;
    let versions = new_versions(transaction, targets).await?;
    let done = targets.iter().map(|target| {
        let version = versions.get(&target.id).copied();
        Ok(Done {
            outcome: Outcome::Updated,
            id: Some(target.id),
            version: version.ok_or_else(|| Error::try_again("a post was deleted meanwhile"))?,
        })
    });
    done.collect()
}

/// Changes `targets` and returns their new versions. The posts whose text stays the same have a statement of
/// their own that does not write it, because its words would be indexed again.
///
/// # Errors
/// [`Error::TryAgain`] if an external id was taken meanwhile.
async fn new_versions(
    transaction: &Transaction,
    targets: &[&Target],
) -> Result<HashMap<PostId, i64>, Error> {
    let mut versions = HashMap::with_capacity(targets.len());
    for changes_text in [false, true] {
        let group = targets
            .iter()
            .filter(|target| target.changes_text() == changes_text);
        let (ids, changes): (Vec<PostId>, Vec<&ActiveModel>) =
            group.map(|target| (target.id, &target.changes)).unzip();
        if ids.is_empty() {
            continue;
        }
        let table = ValuesTable::new().column("target", ids);
        let (table, columns) = with_changes(table, &changes);
        let rows = table.select(transaction.get_database_backend());
        let mut update = Query::update();
        update
            .table(Entity)
            .values(columns.into_iter().map(|column| (column, changed(column))))
            .value(Column::Version, Expr::cust("posts.version + 1"))
            .value(Column::UpdatedAt, now())
            .from(TableRef::SubQuery(rows.into(), "rows".into_iden()))
            .and_where(Expr::col((Entity, Column::Id)).equals(("rows", "target")))
            .returning(Query::returning().columns([Column::Id, Column::Version]));
        let again = Error::try_again("an external id was taken meanwhile");
        for row in transaction
            .query_all(&update)
            .await
            .on_constraint([(EXTERNAL_ID, again)])?
        {
            versions.insert(row.try_get("", "id")?, row.try_get("", "version")?);
        }
    }
    Ok(versions)
}
