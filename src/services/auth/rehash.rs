//! Re-hashing: replaces outdated password hashes after a sign-in, when the password is known.

use std::{fmt, sync::Arc};

use entity::{
    users::{Column, Entity, Model as User, PasswordHash},
    values::UserId,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use secrecy::SecretString;
use tokio::sync::{
    Mutex,
    mpsc::{Receiver, Sender, channel},
};

use super::passwords::{Passwords, is_outdated};
use crate::{db::Db, error::Error};

/// Maximum number of passwords that wait. One more is dropped; the next sign-in sends it again.
const CAPACITY: usize = 64;

/// A password whose hash is outdated.
pub struct Rehash {
    user_id: UserId,
    outdated: PasswordHash,
    password: SecretString,
}

impl Rehash {
    /// The user whose hash is outdated.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.user_id
    }
}

/// A bounded queue from sign-ins to the job that re-hashes. Clones share it.
#[derive(Clone)]
pub struct RehashQueue {
    sender: Sender<Rehash>,
    receiver: Arc<Mutex<Receiver<Rehash>>>,
}

impl Default for RehashQueue {
    fn default() -> Self {
        let (sender, receiver) = channel(CAPACITY);
        Self {
            sender,
            receiver: Arc::new(Mutex::new(receiver)),
        }
    }
}

impl fmt::Debug for RehashQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RehashQueue")
    }
}

impl RehashQueue {
    /// Adds `password` if the hash of `user` is outdated and the queue is not full.
    pub(super) fn push_if_outdated(&self, user: User, password: SecretString) {
        if !is_outdated(&user.password_hash) {
            return;
        }
        let rehash = Rehash {
            user_id: user.id,
            outdated: user.password_hash,
            password,
        };
        if self.sender.try_send(rehash).is_err() {
            tracing::debug!(user_id = user.id.get(), "the re-hashing queue is full");
        }
    }

    /// Removes the oldest password, and waits for one if there is none. Cancel safe.
    pub async fn pop(&self) -> Option<Rehash> {
        self.receiver.lock().await.recv().await
    }
}

/// Replaces the outdated hash, unless it was changed since the sign-in.
///
/// # Errors
/// [`Error::Overloaded`] if too many passwords wait to be hashed, and [`Error::Unavailable`].
pub async fn replace_hash(db: &Db, passwords: &Passwords, rehash: Rehash) -> Result<(), Error> {
    let Rehash {
        user_id,
        outdated,
        password,
    } = rehash;
    let new = &passwords.hash(password).await?;
    let outdated = &outdated;
    db.write(|transaction| async move {
        Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(new.clone()))
            .filter(Column::Id.eq(user_id))
            .filter(Column::PasswordHash.eq(outdated.clone()))
            .exec(&transaction)
            .await?;
        Ok(())
    })
    .await
}
