//! Import of a user's export from another service.
//!
//! `imported_posts` has the original id of each imported post, so that an import can be repeated after an
//! interruption. A post and its original id commit together.

use std::collections::HashSet;

use entity::{
    imported_posts,
    posts::{ActiveModel, Column, Entity},
    sessions, users,
    values::{ExternalId, PostId, SessionId, UserId},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Func, Order, Query},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    posts::external::{EXTERNAL_ID, OWNER, external_id_of},
    quotas::{Quotas, text_bytes},
    running::{Refused, Running, RunningGuard},
    users::{existing, lock_keys},
    votes,
};
use crate::{
    db::{Db, First, OnConstraint, Transaction, ValuesTable, insert_all, subquery},
    error::Error,
};

/// Maximum number of imports in progress. Each takes up to 5 MB.
const MAX_RUNNING: usize = 4;

/// The imports in progress. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Imports(Running<UserId>);

impl Imports {
    /// Begins an import into the account of user `id`. Its end is the drop of the result.
    ///
    /// # Errors
    /// [`Error::ImportRunning`] if another one of this user is in progress on this server;
    /// [`Error::TooManyImports`].
    pub fn begin(&self, id: UserId) -> Result<RunningGuard<UserId>, Error> {
        let running = self.0.begin(id, MAX_RUNNING);
        running.map_err(|refused| match refused {
            Refused::Same => Error::ImportRunning,
            Refused::Full => Error::TooManyImports,
        })
    }
}

/// A post of an export: its id there, and every column but id, owner and votes.
pub type ExportedPost = (PostId, ActiveModel);
/// A vote of an export: the id of its post there, and its time.
pub type ExportedVote = (PostId, OffsetDateTime);

/// What an import did with votes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Votes {
    /// New votes.
    pub created: u64,
    /// Votes that existed.
    pub unchanged: u64,
    /// Votes whose post was not imported.
    pub skipped: u64,
}

/// An import into the account of a user.
#[derive(Debug)]
pub struct Import<'a> {
    db: &'a Db,
    quotas: &'a Quotas,
    owner: UserId,
    session: SessionId,
    /// The exported account. Two services have accounts with the same id, but not with the same time of
    /// creation, which is in microseconds.
    origin: String,
    /// True if the export is that of `owner`. Then posts that still exist are not imported.
    is_own: bool,
}

/// The existing rows for a post of an export.
struct Found {
    post_id: Option<PostId>,
    /// The post that has its external id.
    taken_by: Option<PostId>,
}

/// The outcomes of the posts of a transaction.
struct Written {
    /// True for a new post, false for one that was imported before.
    outcomes: Vec<Result<bool, Error>>,
    /// The size of the new texts.
    bytes: usize,
}

impl<'a> Import<'a> {
    /// An import by `owner`, in their `session`, of the account `id` of another service, which was created at
    /// `created_at`.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] if the owner was deleted.
    pub async fn of(
        db: &'a Db,
        quotas: &'a Quotas,
        (owner, session): (UserId, SessionId),
        id: UserId,
        created_at: OffsetDateTime,
    ) -> Result<Self, Error> {
        let user = existing().filter(users::Column::Id.eq(owner));
        let user = user.first(db.read()).await?.ok_or(Error::InvalidToken)?;
        let time = created_at.format(&Rfc3339).map_err(Error::internal)?;
        Ok(Self {
            db,
            quotas,
            owner,
            session,
            origin: format!("{id} {time}"),
            is_own: (user.id, user.created_at) == (id, created_at),
        })
    }

    /// Creates `posts`, except for those that were imported before. An outcome is true for a new post. A post
    /// whose external id is taken fails by itself: [`Error::ExternalIdTaken`].
    ///
    /// # Errors
    /// [`Error::InvalidToken`] if the owner was deleted or suspended meanwhile;
    /// [`Error::PostQuotaExceeded`] and [`Error::TextQuotaExceeded`]; [`Error::Unavailable`]. Posts before those
    /// of the failed transaction stay.
    pub async fn posts(&self, posts: Vec<ExportedPost>) -> Result<Vec<Result<bool, Error>>, Error> {
        let with_owner = |(id, post)| {
            let owner_id = Set(self.owner);
            (id, ActiveModel { owner_id, ..post })
        };
        let posts: Vec<_> = posts.into_iter().map(with_owner).collect();
        let mut outcomes = Vec::with_capacity(posts.len());
        let mut rest = &*posts;
        while !rest.is_empty() {
            let (distinct, others) = rest.split_at(count_distinct(rest));
            outcomes.extend(self.distinct(distinct).await?);
            rest = others;
        }
        Ok(outcomes)
    }

    /// Creates `posts`, whose ids and external ids differ.
    async fn distinct(&self, posts: &[ExportedPost]) -> Result<Vec<Result<bool, Error>>, Error> {
        let found = self.find(&self.db.read_list(), posts).await?;
        let is_new = |found: &Found| found.post_id.is_none() && found.taken_by.is_none();
        let new = found.iter().zip(posts).filter(|(found, _)| is_new(found));
        let sizes = new.map(|(_, (_, post))| text_bytes(post));
        let (count, bytes) = sizes.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes));
        let reservation = self
            .quotas
            .reserve_rows(self.db, self.owner, count, bytes)
            .await?;
        let write = |transaction| async move { self.write(&transaction, posts).await };
        let group = self.owner.get();
        let written = self
            .db
            .write_text_in_turn(group, |written: &Written| written.bytes, write);
        Ok(reservation.settle(written.await)?.outcomes)
    }

    async fn write(
        &self,
        transaction: &Transaction,
        posts: &[ExportedPost],
    ) -> Result<Written, Error> {
        self.lock_owner(transaction).await?;
        let found = self.find(transaction, posts).await?;
        let (mut outcomes, mut new) = (Vec::with_capacity(posts.len()), Vec::new());
        for (found, (original_id, post)) in found.into_iter().zip(posts) {
            outcomes.push(match found {
                Found {
                    post_id: Some(_), ..
                } => Ok(false),
                Found {
                    taken_by: Some(id), ..
                } => Err(Error::ExternalIdTaken { id }),
                _ => {
                    new.push((*original_id, post));
                    Ok(true)
                }
            });
        }
        let bytes = new.iter().map(|(_, post)| text_bytes(post)).sum();
        if !new.is_empty() {
            self.insert(transaction, &new).await?;
        }
        Ok(Written { outcomes, bytes })
    }

    /// Locks the owner, so that concurrent imports and writes of many posts do not create the same posts.
    async fn lock_owner(&self, transaction: &Transaction) -> Result<(), Error> {
        // An import can take long: meanwhile the session can end, and the owner can be suspended.
        let session = Query::select()
            .column(sessions::Column::UserId)
            .from(sessions::Entity)
            .and_where(sessions::Column::Id.eq(self.session))
            .take();
        let owner = existing()
            .filter(users::Column::Id.in_subquery(session))
            .filter(users::Column::SuspendedAt.is_null());
        lock_keys(transaction, owner).await
    }

    async fn insert(
        &self,
        transaction: &Transaction,
        new: &[(PostId, &ActiveModel)],
    ) -> Result<(), Error> {
        use imported_posts::Column::{Origin, OriginalId, OwnerId, PostId};
        let posts = new.iter().map(|(_, post)| ActiveModel::clone(post));
        let inserted = insert_all(transaction, ActiveModel::default(), posts.collect()).await;
        let again = Error::try_again("an external id was taken meanwhile");
        let inserted =
            inserted.on_constraint([(EXTERNAL_ID, again), (OWNER, Error::InvalidToken)])?;
        let ids = ValuesTable::new()
            .column("original_id", new.iter().map(|(id, _)| *id))
            .column("post_id", inserted.iter().map(|post| post.id));
        let rows = Query::select()
            .expr(Expr::value(self.owner))
            .expr(Expr::value(&*self.origin))
            .columns([OriginalId, PostId])
            .from_subquery(ids.select(transaction.get_database_backend()), "rows")
            .take();
        let insert = Query::insert()
            .into_table(imported_posts::Entity)
            .columns([OwnerId, Origin, OriginalId, PostId])
            .select_from(rows)
            .map_err(Error::internal)?
            .take();
        transaction.execute(&insert).await?;
        Ok(())
    }

    /// Adds `votes`, except for those whose post was not imported.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] if the owner was deleted or suspended meanwhile; [`Error::Unavailable`].
    pub async fn votes(&self, votes: &[ExportedVote]) -> Result<Votes, Error> {
        let write = |transaction| async move {
            self.lock_owner(&transaction).await?;
            let posts = self.find_ids(&transaction, votes).await?;
            let known = posts.into_iter().zip(votes);
            let known: Vec<_> = known
                .filter_map(|(id, (_, time))| Some((id?, *time)))
                .collect();
            let created = votes::insert(&transaction, self.owner, &known).await?;
            let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
            Ok(Votes {
                created: count(created),
                unchanged: count(known.len() - created),
                skipped: count(votes.len() - known.len()),
            })
        };
        self.db.write_in_turn(self.owner.get(), write).await
    }

    /// The posts here of `votes`.
    async fn find_ids(
        &self,
        transaction: &Transaction,
        votes: &[ExportedVote],
    ) -> Result<Vec<Option<PostId>>, Error> {
        let rows = votes.iter().map(|(id, _)| (*id, None)).collect();
        let found = self.find_rows(transaction, rows).await?;
        Ok(found.into_iter().map(|found| found.post_id).collect())
    }

    async fn find(
        &self,
        connection: &impl ConnectionTrait,
        posts: &[ExportedPost],
    ) -> Result<Vec<Found>, Error> {
        let rows = posts
            .iter()
            .map(|(id, post)| (*id, external_id_of(post).cloned()));
        self.find_rows(connection, rows.collect()).await
    }

    async fn find_rows(
        &self,
        connection: &impl ConnectionTrait,
        rows: Vec<(PostId, Option<ExternalId>)>,
    ) -> Result<Vec<Found>, Error> {
        use imported_posts::Column as Imported;
        let own = |column, value| {
            Query::select()
                .column((Entity, Column::Id))
                .from(Entity)
                .and_where(Expr::col((Entity, Column::OwnerId)).eq(self.owner))
                .and_where(Expr::col((Entity, column)).equals(("rows", value)))
                .take()
        };
        let imported = Query::select()
            .column((imported_posts::Entity, Imported::PostId))
            .from(imported_posts::Entity)
            .and_where(Imported::OwnerId.eq(self.owner))
            .and_where(Imported::Origin.eq(&*self.origin))
            .and_where(
                Expr::col((imported_posts::Entity, Imported::OriginalId))
                    .equals(("rows", "original_id")),
            )
            .take();
        let mut post_id = subquery(imported);
        if self.is_own {
            let own = subquery(own(Column::Id, "original_id"));
            post_id = Func::coalesce([post_id, own]).into();
        }
        let (ids, external_ids): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let table = ValuesTable::numbered(ids.len())
            .column("original_id", ids)
            .nullable_column("external_id", external_ids);
        // Subqueries, because for a join SQLite could read all posts of the owner for each row.
        let select = Query::select()
            .expr_as(post_id, "post_id")
            .expr_as(subquery(own(Column::ExternalId, "external_id")), "taken_by")
            .from_subquery(table.select(connection.get_database_backend()), "rows")
            .order_by(("rows", ValuesTable::POSITION), Order::Asc)
            .take();
        let rows = connection.query_all(&select).await?;
        let found = rows.iter().map(|row| {
            Ok(Found {
                post_id: row.try_get("", "post_id")?,
                taken_by: row.try_get("", "taken_by")?,
            })
        });
        found.collect()
    }
}

/// The number of posts before the first whose id or external id is that of an earlier one.
fn count_distinct(posts: &[ExportedPost]) -> usize {
    let (mut ids, mut external_ids) = (HashSet::new(), HashSet::new());
    let repeated = posts.iter().position(|(id, post)| {
        !ids.insert(id) || external_id_of(post).is_some_and(|id| !external_ids.insert(id))
    });
    repeated.unwrap_or(posts.len())
}
