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
    rows::with_changes,
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
    changed: &[(Target, &ActiveModel)],
) -> Result<Vec<Done>, Error> {
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let targets: Vec<Target> = changed.iter().map(|(target, _)| *target).collect();
    lock(transaction, &targets, LockType::NoKeyUpdate).await?;
    let versions = new_versions(transaction, changed).await?;
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

/// Changes `targets` and returns their new versions. A text that stays the same is not written, because its
/// words would be indexed again.
///
/// # Errors
/// [`Error::TryAgain`] if an external id was taken meanwhile.
async fn new_versions(
    transaction: &Transaction,
    targets: &[(Target, &ActiveModel)],
) -> Result<HashMap<PostId, i64>, Error> {
    let mut versions = HashMap::with_capacity(targets.len());
    for writes_text in [false, true] {
        let group = targets
            .iter()
            .filter(|(target, _)| target.same_text != writes_text);
        let (ids, changes): (Vec<PostId>, Vec<&ActiveModel>) =
            group.map(|(target, changes)| (target.id, *changes)).unzip();
        if ids.is_empty() {
            continue;
        }
        let table = with_changes(ValuesTable::new().column("target", ids), &changes);
        let rows = table.select(transaction.get_database_backend());
        let mut update = Query::update();
        update.table(Entity);
        if writes_text {
            update
                .value(
                    Column::Title,
                    Expr::cust("coalesce(rows.title, posts.title)"),
                )
                .value(
                    Column::Content,
                    Expr::cust("coalesce(rows.content, posts.content)"),
                );
        }
        let optional = |name: &str| {
            let sql = format!("CASE WHEN rows.sets_{name} THEN rows.{name} ELSE posts.{name} END");
            Expr::cust(sql)
        };
        update
            .value(
                Column::Published,
                Expr::cust("coalesce(rows.published, posts.published)"),
            )
            .value(Column::Tags, Expr::cust("coalesce(rows.tags, posts.tags)"))
            .value(Column::ExternalId, optional("external_id"))
            .value(Column::Metadata, optional("metadata"))
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
