//! `last_used_at` of sessions and personal access tokens, stored in the background. Authentication
//! never waits for a write.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use entity::{personal_tokens as tokens, sessions};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query, SelectStatement},
};
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;

use super::credential::Credential;
use crate::{
    db::{Db, ValuesTable},
    error::Error,
    services::now,
};

/// Precision of `last_used_at`: a later use within this time is not stored.
const PRECISION: Duration = Duration::minutes(1);
/// Maximum number of credentials that wait. Further ones are dropped: their next use is noted again.
const CAPACITY: usize = 10_000;
/// Maximum number of credentials that one transaction updates.
const STEP: usize = 500;

/// The credentials whose use is to be stored, each once. Clones share it.
#[derive(Clone, Default)]
pub struct UseQueue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<HashSet<Credential>>,
    added: Notify,
}

impl fmt::Debug for UseQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UseQueue")
    }
}

impl UseQueue {
    /// Notes a use of `credential`, unless the last one, at `last_used_at`, was less than a minute
    /// ago or the queue is full.
    pub(super) fn note(&self, credential: &Credential, last_used_at: Option<OffsetDateTime>) {
        if last_used_at.is_some_and(|at| at + PRECISION >= now()) {
            return;
        }
        let mut waiting = self.waiting();
        if waiting.len() < CAPACITY && waiting.insert(credential.clone()) {
            self.0.added.notify_one();
        }
    }

    /// Waits until a use is noted. Cancel safe.
    pub async fn wait(&self) {
        self.0.added.notified().await;
    }

    /// Removes and returns all credentials.
    #[must_use]
    pub fn take(&self) -> Vec<Credential> {
        std::mem::take(&mut *self.waiting()).into_iter().collect()
    }

    fn waiting(&self) -> MutexGuard<'_, HashSet<Credential>> {
        let waiting = self.0.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets `last_used_at` of `credentials` to the current time, at most 500 in one transaction.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn store(db: &Db, credentials: &[Credential]) -> Result<(), Error> {
    for step in credentials.chunks(STEP) {
        store_step(db, step).await?;
    }
    Ok(())
}

async fn store_step(db: &Db, credentials: &[Credential]) -> Result<(), Error> {
    let mut ids = Vec::new();
    let mut hashes = Vec::new();
    for credential in credentials {
        match credential {
            Credential::Session(id) => ids.push(id.get()),
            Credential::Token(hash) => hashes.push(hash.clone()),
        }
    }
    let (now, ids, hashes) = (now(), &ids, &hashes);
    db.write(|transaction| async move {
        let backend = transaction.get_database_backend();
        if !ids.is_empty() {
            let ids = ValuesTable::new().column("id", ids.iter().copied());
            let unlocked = unlocked(
                sessions::Entity,
                sessions::Column::Id,
                ids.select(backend),
                sessions::Column::LastUsedAt.lt(now - PRECISION),
            );
            sessions::Entity::update_many()
                .col_expr(sessions::Column::LastUsedAt, Expr::value(now))
                .filter(sessions::Column::Id.in_subquery(unlocked))
                .exec(&transaction)
                .await?;
        }
        if !hashes.is_empty() {
            let hashes = ValuesTable::new().column("hash", hashes.iter().cloned());
            let unlocked = unlocked(
                tokens::Entity,
                tokens::Column::Hash,
                hashes.select(backend),
                tokens::Column::LastUsedAt
                    .is_null()
                    .or(tokens::Column::LastUsedAt.lt(now - PRECISION)),
            );
            tokens::Entity::update_many()
                .col_expr(tokens::Column::LastUsedAt, Expr::value(now))
                .filter(tokens::Column::Hash.in_subquery(unlocked))
                .exec(&transaction)
                .await?;
        }
        Ok(())
    })
    .await
}

/// Selects and locks the rows with `keys` and `condition`, except those that another transaction
/// has locked. An update in any order then cannot cause a deadlock.
fn unlocked<E: EntityTrait>(
    table: E,
    key: E::Column,
    keys: SelectStatement,
    condition: Expr,
) -> SelectStatement {
    Query::select()
        .column(key)
        .from(table)
        .cond_where(Condition::all().add(key.in_subquery(keys)).add(condition))
        .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
        .take()
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, Credential, PRECISION, UseQueue, now};

    #[test]
    fn a_credential_waits_once_and_the_queue_is_bounded() {
        let queue = UseQueue::default();
        let credential = |number: usize| Credential::Token(number.to_string());
        queue.note(&credential(0), Some(now()));
        assert_eq!(queue.take(), []);
        queue.note(&credential(0), Some(now() - PRECISION * 2));
        queue.note(&credential(0), None);
        assert_eq!(queue.take(), [credential(0)]);
        for number in 0..2 * CAPACITY {
            queue.note(&credential(number), None);
        }
        assert_eq!(queue.take().len(), CAPACITY);
    }
}
