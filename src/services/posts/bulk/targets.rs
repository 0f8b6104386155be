//! The existing posts that the rows of a request are about.

use std::collections::{HashMap, HashSet};

use entity::{
    posts::{ActiveModel, Column, Entity},
    users,
    values::{ExternalId, PostId, UserId},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IdenStatic,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Alias, Expr, ExprTrait, JoinType, LockType, Query},
};

use super::{
    super::visibility::visible_to,
    rows::{differs, with_changes},
};
use crate::{
    db::{Transaction, ValuesTable, subquery},
    error::Error,
    services::{quotas::text_bytes, users::lock_keys},
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
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Target {
    pub(super) id: PostId,
    owner_id: UserId,
    pub(super) version: i64,
    title_bytes: i64,
    content_bytes: i64,
    metadata_bytes: i64,
    /// The columns that the row sets to other values than the post has.
    #[sea_orm(skip)]
    pub(super) changes: ActiveModel,
}

impl Target {
    /// True if the row changes the title or the content.
    pub(super) fn changes_text(&self) -> bool {
        self.changes.title.is_set() || self.changes.content.is_set()
    }

    /// The bytes of title and content of the post.
    pub(super) fn text_bytes(&self) -> (usize, usize) {
        (unsigned(self.title_bytes), unsigned(self.content_bytes))
    }

    /// The bytes of the texts that `changes` replaces.
    fn replaced_bytes(&self, changes: &ActiveModel) -> usize {
        let columns = [
            (changes.title.is_set(), self.title_bytes),
            (changes.content.is_set(), self.content_bytes),
            (changes.metadata.is_set(), self.metadata_bytes),
        ];
        let replaced = columns.into_iter().filter(|(is_set, _)| *is_set);
        unsigned(replaced.map(|(_, bytes)| bytes).sum())
    }
}

fn unsigned(bytes: i64) -> usize {
    usize::try_from(bytes).unwrap_or_default()
}

/// The bytes by which `changes` lengthens the texts of `target`, or of a new post.
pub(super) fn growth(changes: &ActiveModel, target: Option<&Target>) -> usize {
    let replaced = target.map_or(0, |target| target.replaced_bytes(changes));
    text_bytes(changes).saturating_sub(replaced)
}

/// Finds the posts with `keys` that `caller` sees, by the position of their key. `changes` of a post are
/// compared with it; without them [`Target::changes`] is empty.
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
    let (positions, ids): (Vec<_>, Vec<_>) = ids.into_iter().unzip();
    let (external_positions, external_ids): (Vec<_>, Vec<_>) = external_ids.into_iter().unzip();
    // A subquery, because for a join SQLite reads all posts of the owner for each row.
    let by_external_id = Query::select()
        .column((Alias::new("own"), Column::Id))
        .from_as(Entity, "own")
        .and_where(Expr::col((Alias::new("own"), Column::OwnerId)).eq(caller))
        .and_where(Expr::col((Alias::new("own"), Column::ExternalId)).equals(("rows", "target")))
        .take();
    let by_external_id = subquery(by_external_id);
    let tables = [
        (
            positions,
            ValuesTable::new().column("target", ids),
            Expr::col(("rows", "target")),
        ),
        (
            external_positions,
            ValuesTable::new().column("target", external_ids),
            by_external_id,
        ),
    ];
    let mut found = HashMap::new();
    for (positions, table, id) in tables {
        if positions.is_empty() {
            continue;
        }
        let numbers = positions
            .iter()
            .filter_map(|position| i64::try_from(*position).ok());
        let table = table.column(ValuesTable::POSITION, numbers);
        let changes_of = |position| changes.and_then(|changes| changes.get(position));
        let changes = positions
            .iter()
            .filter_map(|position| changes_of(*position));
        let (table, columns) = with_changes(table, &changes.collect::<Vec<_>>());
        let rows = Query::select()
            .expr(Expr::cust("rows.*"))
            .expr_as(id, "post_id")
            .from_subquery(table.select(connection.get_database_backend()), "rows")
            .take();
        let is_row = Expr::col((Entity, Column::Id)).equals(("rows", "post_id"));
        let bytes = |column| {
            Expr::cust(format!("coalesce(octet_length(posts.{column}), 0)")).cast_as("bigint")
        };
        let mut select = Query::select();
        select
            .columns([Column::Id, Column::OwnerId, Column::Version].map(|column| (Entity, column)))
            .column(("rows", ValuesTable::POSITION))
            .expr_as(bytes("title"), "title_bytes")
            .expr_as(bytes("content"), "content_bytes")
            .expr_as(bytes("metadata"), "metadata_bytes")
            .from(Entity)
            .join_subquery(JoinType::InnerJoin, rows, "rows", is_row)
            .cond_where(visible_to(Some(Expr::value(caller))));
        let alias = |column: &Column| format!("differs_{}", column.as_str());
        for column in &columns {
            select.expr_as(differs(*column), alias(column));
        }
        for row in connection.query_all(&select).await? {
            let position: i64 = row.try_get("", ValuesTable::POSITION)?;
            let position = usize::try_from(position).unwrap_or_default();
            let mut target = Target::from_query_result(&row, "")?;
            if let Some(changes) = changes_of(position) {
                target.changes = changes.clone();
            }
            for column in &columns {
                if !row.try_get::<bool>("", &alias(column))? {
                    target.changes.not_set(*column);
                }
            }
            found.insert(position, target);
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
    let mut found = find(connection, caller, &numbered, changes).await?;
    let mut seen = HashSet::new();
    let rows =
        keys.iter()
            .enumerate()
            .map(|(position, key)| match (found.remove(&position), key) {
                (None, Key::Id(id)) => Err(Error::not_found("post", id.get())),
                (None, Key::ExternalId(_)) => Err(Error::ExternalIdNotFound),
                (Some(target), _) if target.owner_id != caller => {
                    Err(Error::NotOwner { id: target.id })
                }
                (Some(target), _) if !seen.insert(target.id) => Err(Error::RowRepeated),
                (Some(target), _) => Ok(target),
            });
    Ok(rows.collect())
}

/// Locks `targets` in the order of their ids, and checks that they have not changed since.
///
/// # Errors
/// [`Error::TryAgain`] if they have.
pub(super) async fn lock(
    transaction: &Transaction,
    targets: &[&Target],
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
    if targets.iter().copied().all(is_same) {
        return Ok(());
    }
    Err(Error::try_again("a post was changed meanwhile"))
}

/// Locks `owner` against other writes of many posts, so that two of them do not take the same external ids.
///
/// # Errors
/// [`Error::InvalidToken`] if the owner was deleted meanwhile.
pub(super) async fn lock_owner(transaction: &Transaction, owner: UserId) -> Result<(), Error> {
    let owner = users::Entity::find().filter(users::Column::Id.eq(owner));
    lock_keys(transaction, owner).await
}
