//! The existing posts that the rows of a request are about.

use std::collections::{HashMap, HashSet};

use entity::{
    posts::{ActiveModel, Column, Entity},
    values::{ExternalId, PostId, UserId},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
    sea_query::{Alias, Expr, ExprTrait, JoinType, LockType, Query, SimpleExpr},
};

use super::{
    super::visibility::visible_to,
    rows::{SAME_REST, SAME_TEXT, with_changes},
};
use crate::{
    db::{Transaction, ValuesTable},
    error::Error,
    services::quotas::text_bytes,
};

/// Identifies a post of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// By its id.
    Id(PostId),
    /// By its external id.
    ExternalId(ExternalId),
}

/// A post that a row is about.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Target {
    pub(super) id: PostId,
    owner_id: UserId,
    pub(super) version: i64,
    title_bytes: i64,
    content_bytes: i64,
    metadata_bytes: i64,
    /// True if the row changes neither title nor content.
    pub(super) same_text: bool,
    /// True if the row changes nothing else.
    pub(super) same_rest: bool,
}

impl Target {
    /// The bytes of the texts that `changes` replaces.
    fn replaced_bytes(&self, changes: &ActiveModel) -> usize {
        let columns = [
            (changes.title.is_set(), self.title_bytes),
            (changes.content.is_set(), self.content_bytes),
            (changes.metadata.is_set(), self.metadata_bytes),
        ];
        let replaced = columns.into_iter().filter(|(is_set, _)| *is_set);
        let bytes = replaced.map(|(_, bytes)| bytes).sum::<i64>();
        usize::try_from(bytes).unwrap_or_default()
    }
}

/// The bytes by which `changes` lengthens the texts of `target`, or of a new post.
pub(super) fn growth(changes: &ActiveModel, target: Option<&Target>) -> usize {
    let replaced = target.map_or(0, |target| target.replaced_bytes(changes));
    text_bytes(changes).saturating_sub(replaced)
}

/// Finds the posts with `keys` that `caller` sees, by the position of their key. `changes` of a post are
/// compared with it; without them [`Target::same_text`] and [`Target::same_rest`] are true.
pub(super) async fn find(
    connection: &impl ConnectionTrait,
    caller: UserId,
    keys: &[(usize, &Key)],
    changes: Option<&[ActiveModel]>,
) -> Result<HashMap<usize, Target>, Error> {
    let (mut ids, mut external_ids) = (Vec::new(), Vec::new());
    for (position, key) in keys {
        match key {
            Key::Id(id) => ids.push((*position, *id)),
            Key::ExternalId(id) => external_ids.push((*position, id.clone())),
        }
    }
    let mut found = HashMap::new();
    let (positions, ids): (Vec<_>, Vec<_>) = ids.into_iter().unzip();
    let table = |positions: &[usize]| {
        let numbers = positions
            .iter()
            .filter_map(|position| i64::try_from(*position).ok());
        let table = ValuesTable::new().column(ValuesTable::POSITION, numbers);
        let changes = changes.map(|changes| {
            let changes = positions
                .iter()
                .filter_map(|position| changes.get(*position));
            changes.collect::<Vec<_>>()
        });
        match changes {
            Some(changes) => with_changes(table, &changes),
            None => table,
        }
    };
    // A subquery, because for a join SQLite reads all posts of the owner for each row.
    let by_external_id = Query::select()
        .column((Alias::new("own"), Column::Id))
        .from_as(Entity, "own")
        .and_where(Expr::col((Alias::new("own"), Column::OwnerId)).eq(caller))
        .and_where(Expr::col((Alias::new("own"), Column::ExternalId)).equals(("rows", "target")))
        .take();
    let by_external_id = SimpleExpr::SubQuery(None, Box::new(by_external_id.into()));
    let by_id = Expr::col(("rows", "target"));
    let (external_positions, external_ids): (Vec<_>, Vec<_>) = external_ids.into_iter().unzip();
    let tables = [
        (
            positions.is_empty(),
            table(&positions).column("target", ids),
            by_id,
        ),
        (
            external_positions.is_empty(),
            table(&external_positions).column("target", external_ids),
            by_external_id,
        ),
    ];
    for (is_empty, table, id) in tables {
        if is_empty {
            continue;
        }
        let rows = Query::select()
            .expr(Expr::cust("rows.*"))
            .expr_as(id, "post_id")
            .from_subquery(table.select(connection.get_database_backend()), "rows")
            .take();
        let is_row = Expr::col((Entity, Column::Id)).equals(("rows", "post_id"));
        let bytes = |column| {
            Expr::cust(format!("coalesce(octet_length(posts.{column}), 0)")).cast_as("bigint")
        };
        let same = |condition: &'static str| {
            Expr::cust(if changes.is_some() {
                condition
            } else {
                "1 = 1"
            })
        };
        let select = Query::select()
            .columns([Column::Id, Column::OwnerId, Column::Version].map(|column| (Entity, column)))
            .column(("rows", ValuesTable::POSITION))
            .expr_as(bytes("title"), "title_bytes")
            .expr_as(bytes("content"), "content_bytes")
            .expr_as(bytes("metadata"), "metadata_bytes")
            .expr_as(same(SAME_TEXT), "same_text")
            .expr_as(same(SAME_REST), "same_rest")
            .from(Entity)
            .join_subquery(JoinType::InnerJoin, rows, "rows", is_row)
            .cond_where(visible_to(Some(Expr::value(caller))))
            .take();
        for row in connection.query_all(&select).await? {
            let position: i64 = row.try_get("", ValuesTable::POSITION)?;
            let target = Target::from_query_result(&row, "")?;
            found.insert(usize::try_from(position).unwrap_or_default(), target);
        }
    }
    Ok(found)
}

/// Finds the posts of `caller` with `keys`. A post that occurs again is an error of the later row.
pub(super) async fn owned(
    connection: &impl ConnectionTrait,
    caller: UserId,
    keys: &[Key],
    changes: Option<&[ActiveModel]>,
) -> Result<Vec<Result<Target, Error>>, Error> {
    let numbered: Vec<_> = keys.iter().enumerate().collect();
    let found = find(connection, caller, &numbered, changes).await?;
    let mut seen = HashSet::new();
    let rows = keys
        .iter()
        .enumerate()
        .map(|(position, key)| match (found.get(&position), key) {
            (None, Key::Id(id)) => Err(Error::not_found("post", id.get())),
            (None, Key::ExternalId(_)) => Err(Error::ExternalIdNotFound),
            (Some(target), _) if target.owner_id != caller => {
                Err(Error::NotOwner { id: target.id })
            }
            (Some(target), _) if !seen.insert(target.id) => Err(Error::RowRepeated),
            (Some(target), _) => Ok(*target),
        });
    Ok(rows.collect())
}

/// Locks `targets` in the order of their ids, and checks that they have not changed since.
///
/// # Errors
/// [`Error::TryAgain`] if they have.
pub(super) async fn lock(
    transaction: &Transaction,
    targets: &[Target],
    lock: LockType,
) -> Result<(), Error> {
    let ids = ValuesTable::new().column("target", targets.iter().map(|target| target.id));
    let select = Entity::find()
        .select_only()
        .columns([Column::Id, Column::Version])
        .filter(Column::Id.in_subquery(ids.select(transaction.get_database_backend())))
        .order_by_asc(Column::Id)
        .lock(lock);
    let statement = select.build(transaction.get_database_backend());
    let rows = transaction.query_all_raw(statement).await?;
    let mut versions = HashMap::with_capacity(rows.len());
    for row in &rows {
        versions.insert(
            row.try_get::<PostId>("", "id")?,
            row.try_get("", "version")?,
        );
    }
    let is_same = |target: &Target| versions.get(&target.id) == Some(&target.version);
    if targets.iter().all(is_same) {
        return Ok(());
    }
    Err(Error::try_again("a post was changed meanwhile"))
}
