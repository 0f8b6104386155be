//! Creating many posts, or changing those that exist.

use std::collections::{HashMap, HashSet};

use entity::{
    posts::{ActiveModel, Model},
    values::{Scope, UserId},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait};

use super::{
    super::external::{EXTERNAL_ID, OWNER, created_now, external_id_of},
    index_work::IndexWork,
    outcome::{Done, Mode, Outcome, Rows, Written},
    targets::{Key, Target, find, growth, lock_owner},
    update::update,
};
use crate::{
    db::{Db, OnConstraint, Transaction, insert_all},
    error::Error,
    services::{
        auth::Identity,
        idempotency::{Keyed, StoredAnswer},
        quotas::Quotas,
    },
};

/// What happens with a row whose external id exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// It fails.
    Error,
    /// The post stays as it is.
    Ignore,
    /// The post is replaced.
    Update,
}

/// Creates a post of `owner` for each of `posts`. Each has every field that a client can set. Stores and returns
/// the answer of `keyed`, unless nothing is changed.
///
/// # Errors
/// [`Error::InsufficientScope`] if existing posts are to be changed, and the token may only create posts;
/// [`Error::InvalidToken`] if the owner was deleted meanwhile; [`Error::PostQuotaExceeded`] and
/// [`Error::TextQuotaExceeded`] and [`Error::TooMuchText`] for all rows together;
/// [`Error::IdempotencyKeyInUse`]. Each row can fail with [`Error::ExternalIdTaken`] or [`Error::RowRepeated`].
pub async fn create(
    db: &Db,
    quotas: &Quotas,
    owner: &Identity,
    posts: Vec<ActiveModel>,
    on_conflict: OnConflict,
    mode: Mode,
    keyed: Option<&Keyed<Rows>>,
) -> Result<(Rows, Option<StoredAnswer>), Error> {
    let scope = Scope::PostsUpdate;
    if on_conflict == OnConflict::Update && !owner.scopes.contains(scope) {
        return Err(Error::InsufficientScope { scope });
    }
    let create = &Create {
        owner: owner.id,
        posts,
        on_conflict,
        mode,
    };
    let (new, bytes) = create.usage(db).await?;
    let reservation = quotas.reserve_rows(db, owner.id, new, bytes).await?;
    let write = |transaction| async move {
        let mut written = create.write(&transaction).await?;
        if let Some(keyed) = keyed
            && !mode.is_undone(&written.rows)
        {
            let answer = keyed.store(&transaction, create.owner, &written.rows);
            written.answer = Some(answer.await?);
        }
        Ok(written)
    };
    let written = db.write_text_in_turn(owner.id.get(), |written| written.bytes, write);
    let Written { rows, answer, .. } = mode.settle(reservation, written.await)?;
    Ok((rows, answer))
}

struct Create {
    owner: UserId,
    posts: Vec<ActiveModel>,
    on_conflict: OnConflict,
    mode: Mode,
}

impl Create {
    /// The keys of the rows that have one. Those of repeated rows are `None`.
    fn keys(&self) -> Vec<(usize, Option<Key>)> {
        let mut seen = HashSet::new();
        let keys = self
            .posts
            .iter()
            .enumerate()
            .filter_map(|(position, post)| {
                let external_id = external_id_of(post)?;
                let is_first = seen.insert(external_id);
                Some((
                    position,
                    is_first.then(|| Key::ExternalId(external_id.clone())),
                ))
            });
        keys.collect()
    }

    /// The existing posts, by the position of their row. Compares them with the rows if `compares`.
    async fn existing(
        &self,
        connection: &impl ConnectionTrait,
        keys: &[(usize, Option<Key>)],
        compares: bool,
    ) -> Result<HashMap<usize, Target>, Error> {
        let keys = keys
            .iter()
            .filter_map(|(position, key)| Some((*position, key.as_ref()?)));
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        find(
            connection,
            self.owner,
            &keys,
            compares.then_some(&self.posts),
        )
        .await
    }

    /// The number of new posts, and the bytes by which the texts grow.
    async fn usage(&self, db: &Db) -> Result<(u64, usize), Error> {
        let existing = self.existing(&db.read_list(), &self.keys(), false).await?;
        let (mut new, mut bytes) = (0, 0);
        for (position, post) in self.posts.iter().enumerate() {
            let target = existing.get(&position);
            new += u64::from(target.is_none());
            if target.is_none() || self.on_conflict == OnConflict::Update {
                bytes += growth(post, target);
            }
        }
        Ok((new, bytes))
    }

    async fn write(&self, transaction: &Transaction) -> Result<Written, Error> {
        let Self { mode, .. } = *self;
        lock_owner(transaction, self.owner).await?;
        let keys = self.keys();
        let compares = self.on_conflict == OnConflict::Update;
        let existing = self.existing(transaction, &keys, compares).await?;
        let mut rows: Vec<Result<Option<Done>, Error>> = vec![Ok(None); self.posts.len()];
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        let repeated = keys.into_iter().filter(|(_, key)| key.is_none());
        let repeated: HashSet<usize> = repeated.map(|(position, _)| position).collect();
        for (position, (post, row)) in self.posts.iter().zip(&mut rows).enumerate() {
            let Some(target) = existing.get(&position) else {
                if repeated.contains(&position) {
                    *row = Err(Error::RowRepeated);
                } else {
                    new.push((position, post));
                }
                continue;
            };
            let done = |outcome| Done {
                outcome,
                id: Some(target.id),
                version: target.version,
            };
            match self.on_conflict {
                OnConflict::Error => *row = Err(Error::ExternalIdTaken { id: target.id }),
                OnConflict::Ignore => *row = Ok(Some(done(Outcome::Ignored))),
                OnConflict::Update if target.changes.is_changed() => {
                    changed.push((position, target));
                }
                OnConflict::Update => *row = Ok(Some(done(Outcome::Unchanged))),
            }
        }
        let mut work = IndexWork::default();
        if !mode.atomic || rows.iter().all(Result::is_ok) {
            for (_, post) in &new {
                work.create(post);
            }
            for (_, target) in &changed {
                work.change(target);
            }
            work.check()?;
            let (positions, changed): (Vec<_>, Vec<_>) = changed.into_iter().unzip();
            let updated = update(transaction, &changed).await?;
            for (position, done) in positions.into_iter().zip(updated) {
                set(&mut rows, position, done);
            }
            let inserted = self.insert(transaction, &new).await?;
            for ((position, _), post) in new.iter().zip(inserted) {
                let done = Done {
                    outcome: Outcome::Created,
                    id: Some(post.id).filter(|_| !mode.dry_run),
                    version: post.version,
                };
                set(&mut rows, *position, done);
            }
        }
        let rows = rows.into_iter().map(|row| {
            // Without an error of another row, each row is done.
            let done = row?;
            done.ok_or(Error::RowNotWritten)
        });
        Ok(mode.conclude(transaction, rows.collect(), work.new_bytes))
    }

    async fn insert(
        &self,
        transaction: &Transaction,
        new: &[(usize, &ActiveModel)],
    ) -> Result<Vec<Model>, Error> {
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let posts = new
            .iter()
            .map(|(_, post)| ActiveModel::clone(post))
            .collect();
        let again = Error::try_again("an external id was taken meanwhile");
        let common = ActiveModel {
            owner_id: Set(self.owner),
            ..created_now()
        };
        let inserted = insert_all(transaction, common, posts).await;
        inserted.on_constraint([(EXTERNAL_ID, again), (OWNER, Error::InvalidToken)])
    }
}

fn set(rows: &mut [Result<Option<Done>, Error>], position: usize, done: Done) {
    if let Some(row) = rows.get_mut(position) {
        *row = Ok(Some(done));
    }
}
