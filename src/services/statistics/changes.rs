//! What a step changes: the difference between what is and what was counted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use entity::{
    post_statistics, posts, statistics, user_activity, user_statistics, users,
    values::{PostId, Tags, UserId},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter,
    sea_query::{Expr, ExprTrait, Query, SelectStatement, ValueType},
};
use serde::Deserialize;

use super::{
    DayNumber, first_kept_day,
    step::{Step, Votes},
};
use crate::{
    db::{Db, ValuesTable, many_rows},
    error::Error,
    services::posts::visibility::visible_with_owner,
};

/// Differences of a row of `activity_days`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Activity {
    pub active: i64,
    pub last_active: i64,
}

/// The rows to write.
#[derive(Debug)]
pub(super) struct Changes {
    /// The next state, with the revision of the one before.
    pub next: statistics::Model,
    /// Posts with other numbers, or `None` if they no longer count.
    pub posts: BTreeMap<PostId, Option<post_statistics::Model>>,
    pub users: BTreeMap<UserId, user_statistics::Model>,
    /// Differences of the numbers of posts.
    pub tags: BTreeMap<String, i64>,
    pub votes: BTreeMap<(PostId, DayNumber), Votes>,
    /// Posts that do not exist any more.
    pub deleted_posts: BTreeSet<PostId>,
    pub activity: BTreeMap<DayNumber, Activity>,
    /// Users and the days on which they were active.
    pub active: BTreeSet<(UserId, DayNumber)>,
    /// Users whose activity is forgotten.
    pub deleted_users: BTreeSet<UserId>,
    pub recount: Option<(i64, i64)>,
}

impl Changes {
    /// Reads what is and what was counted. If another server writes meanwhile, the result is wrong, and the
    /// comparison of the revision refuses it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn of(db: &Db, step: Step) -> Result<Self, Error> {
        let mut changes = Self {
            next: step.next,
            posts: BTreeMap::new(),
            users: BTreeMap::new(),
            tags: BTreeMap::new(),
            votes: step.votes,
            deleted_posts: BTreeSet::new(),
            activity: BTreeMap::new(),
            active: BTreeSet::new(),
            deleted_users: BTreeSet::new(),
            recount: step.recount,
        };
        let of_owners = changes.compare_posts(db, &step.posts).await?;
        changes
            .compare_users(db, of_owners, &step.users, &step.active)
            .await?;
        Ok(changes)
    }

    /// Returns the differences of posts and votes of each owner.
    async fn compare_posts(
        &mut self,
        db: &Db,
        ids: &BTreeSet<PostId>,
    ) -> Result<BTreeMap<UserId, (i64, i64)>, Error> {
        let mut of_owners: BTreeMap<UserId, (i64, i64)> = BTreeMap::new();
        if ids.is_empty() {
            return Ok(of_owners);
        }
        for post in compared_posts(db, ids).await? {
            let ComparedPost {
                id,
                exists,
                now,
                before,
            } = post;
            if !exists {
                self.deleted_posts.insert(id);
            }
            if now == before {
                continue;
            }
            for (row, sign) in [(&before, -1), (&now, 1)] {
                let Some(row) = row else { continue };
                let votes = sign * row.votes;
                let (of_owner, total) =
                    (of_owners.entry(row.owner_id).or_default(), &mut self.next);
                of_owner.0 += sign;
                of_owner.1 += votes;
                total.posts += sign;
                total.votes += votes;
                for tag in row.tags.iter() {
                    *self.tags.entry(tag.to_owned()).or_default() += sign;
                }
            }
            self.posts.insert(id, now);
        }
        self.tags.retain(|_, difference| *difference != 0);
        of_owners.retain(|_, differences| *differences != (0, 0));
        let deleted = &self.deleted_posts;
        self.votes.retain(|(post, _), _| !deleted.contains(post));
        Ok(of_owners)
    }

    async fn compare_users(
        &mut self,
        db: &Db,
        of_owners: BTreeMap<UserId, (i64, i64)>,
        changed: &BTreeSet<UserId>,
        active: &BTreeSet<(UserId, DayNumber)>,
    ) -> Result<(), Error> {
        let actors = active.iter().map(|(user, _)| user);
        let ids: BTreeSet<UserId> = changed
            .iter()
            .chain(of_owners.keys())
            .chain(actors)
            .copied()
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let before = counted_users(db, &ids).await?;
        let existing = existing_users(db, changed).await?;
        let row = |id: &UserId| {
            let counted = before.get(id).cloned();
            counted.unwrap_or(user_statistics::Model {
                user_id: *id,
                is_counted: false,
                posts: 0,
                votes: 0,
                active_on: None,
            })
        };
        let mut now: BTreeMap<UserId, _> = ids.iter().map(|id| (*id, row(id))).collect();
        for (id, (posts, votes)) in of_owners {
            if let Some(user) = now.get_mut(&id) {
                user.posts += posts;
                user.votes += votes;
            }
        }
        for id in changed {
            let Some(user) = now.get_mut(id) else {
                continue;
            };
            let exists = existing.contains(id);
            self.next.users += i64::from(exists) - i64::from(user.is_counted);
            user.is_counted = exists;
            if !exists {
                self.deleted_users.insert(*id);
                if let Some(day) = user.active_on.take() {
                    self.activity.entry(day).or_default().last_active -= 1;
                }
            }
        }
        for (_, day) in days_of(db, &self.deleted_users).await? {
            self.activity.entry(day).or_default().active -= 1;
        }
        self.add_activity(db, &mut now, active).await?;
        now.retain(|id, user| before.get(id) != Some(user));
        self.users = now;
        let kept = first_kept_day();
        self.activity
            .retain(|day, differences| *day >= kept && *differences != Activity::default());
        Ok(())
    }

    /// The days of each user come in ascending order, so that only days before the last known one can be in
    /// `user_activity` already.
    async fn add_activity(
        &mut self,
        db: &Db,
        users: &mut BTreeMap<UserId, user_statistics::Model>,
        active: &BTreeSet<(UserId, DayNumber)>,
    ) -> Result<(), Error> {
        let kept = first_kept_day();
        let earlier = active.iter().filter(|(id, day)| {
            let last = users.get(id).and_then(|user| user.active_on);
            last.is_some_and(|last| *day < last)
        });
        let known = days_of(db, &earlier.map(|(id, _)| *id).collect()).await?;
        for (id, day) in active {
            let Some(user) = users.get_mut(id) else {
                continue;
            };
            // Nothing is kept of a deleted user. Their last events may come after the deletion.
            if !user.is_counted || *day < kept {
                continue;
            }
            let is_known = user.active_on == Some(*day) || known.contains(&(*id, *day));
            if is_known {
                continue;
            }
            self.active.insert((*id, *day));
            self.activity.entry(*day).or_default().active += 1;
            if user.active_on.is_none_or(|last| last < *day) {
                self.activity.entry(*day).or_default().last_active += 1;
                if let Some(last) = user.active_on.replace(*day) {
                    self.activity.entry(last).or_default().last_active -= 1;
                }
            }
        }
        Ok(())
    }
}

/// A table with the column `id`.
fn table(
    db: &Db,
    ids: impl IntoIterator<Item = impl Into<sea_orm::Value> + ValueType>,
) -> SelectStatement {
    let backend = db.read().get_database_backend();
    ValuesTable::new().column("id", ids).select(backend)
}

/// A post that may have changed.
struct ComparedPost {
    id: PostId,
    exists: bool,
    /// The row to count, if everyone sees the post.
    now: Option<post_statistics::Model>,
    /// The row that was counted.
    before: Option<post_statistics::Model>,
}

/// The columns of a post that is compared: its id, the id again if it exists, the row to count, and the row that
/// was counted.
#[derive(Deserialize, FromQueryResult)]
struct ComparedRow {
    id: PostId,
    existing_id: Option<PostId>,
    owner_id: Option<UserId>,
    votes: Option<i64>,
    tags: Option<Tags>,
    counted_owner_id: Option<UserId>,
    counted_votes: Option<i64>,
    counted_tags: Option<Tags>,
}

impl ComparedPost {
    fn of(row: ComparedRow) -> Self {
        let counted = |owner_id, votes, tags| {
            Some(post_statistics::Model {
                post_id: row.id,
                owner_id: owner_id?,
                votes: votes?,
                tags: tags?,
            })
        };
        Self {
            id: row.id,
            exists: row.existing_id.is_some(),
            now: counted(row.owner_id, row.votes, row.tags),
            before: counted(row.counted_owner_id, row.counted_votes, row.counted_tags),
        }
    }
}

/// In one statement: the rows of a page cost more to transfer than to find.
async fn compared_posts(db: &Db, ids: &BTreeSet<PostId>) -> Result<Vec<ComparedPost>, Error> {
    use post_statistics::{Column, Entity};
    let id = || Expr::col(("looked_at", posts::Column::Id));
    let post = |column: posts::Column| Expr::col((posts::Entity, column));
    let mut select = Query::select();
    select
        .expr_as(id(), "id")
        .expr_as(post(posts::Column::Id), "existing_id");
    for column in [
        posts::Column::OwnerId,
        posts::Column::Votes,
        posts::Column::Tags,
    ] {
        let if_visible = Expr::case(visible_with_owner(None), post(column));
        select.expr_as(if_visible, column);
    }
    for (column, alias) in [
        (Column::OwnerId, "counted_owner_id"),
        (Column::Votes, "counted_votes"),
        (Column::Tags, "counted_tags"),
    ] {
        select.expr_as(Expr::col((Entity, column)), alias);
    }
    select
        .from_subquery(table(db, ids.iter().copied()), "looked_at")
        .left_join(posts::Entity, post(posts::Column::Id).eq(id()))
        .left_join(
            users::Entity,
            post(posts::Column::OwnerId).equals((users::Entity, users::Column::Id)),
        )
        .left_join(Entity, Expr::col((Entity, Column::PostId)).eq(id()));
    let connection = db.read();
    let statement = connection.get_database_backend().build(&select);
    let rows = many_rows(connection, statement).await?;
    Ok(rows.into_iter().map(ComparedPost::of).collect())
}

async fn counted_users(
    db: &Db,
    ids: &BTreeSet<UserId>,
) -> Result<HashMap<UserId, user_statistics::Model>, Error> {
    let ids = table(db, ids.iter().copied());
    let rows =
        user_statistics::Entity::find().filter(user_statistics::Column::UserId.in_subquery(ids));
    let rows = rows.all(db.read()).await?;
    Ok(rows.into_iter().map(|row| (row.user_id, row)).collect())
}

async fn existing_users(db: &Db, ids: &BTreeSet<UserId>) -> Result<HashSet<UserId>, Error> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let select = Query::select()
        .column(users::Column::Id)
        .from(users::Entity)
        .and_where(users::Column::DeletedAt.is_null())
        .and_where(users::Column::Id.in_subquery(table(db, ids.iter().copied())))
        .take();
    let rows = db.read().query_all(&select).await?;
    let ids: Result<_, _> = rows.iter().map(|row| row.try_get("", "id")).collect();
    Ok(ids?)
}

/// The days on which `users` were active, as far as they are kept.
async fn days_of(db: &Db, users: &BTreeSet<UserId>) -> Result<HashSet<(UserId, DayNumber)>, Error> {
    if users.is_empty() {
        return Ok(HashSet::new());
    }
    let users = table(db, users.iter().copied());
    let rows =
        user_activity::Entity::find().filter(user_activity::Column::UserId.in_subquery(users));
    let rows = rows.all(db.read()).await?;
    Ok(rows.into_iter().map(|row| (row.user_id, row.day)).collect())
}
