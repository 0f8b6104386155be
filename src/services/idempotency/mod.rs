//! Requests that a client can repeat. The answer of a request with an `Idempotency-Key` is stored in the
//! transaction of its write, so that the same request gets the same answer again and writes nothing.
//!
//! The primary key of the table decides which of several simultaneous requests writes: the transactions
//! of the others are rolled back. Only answers of committed writes are stored, so a request that failed
//! can be sent again with its key.

mod batch;
mod in_flight;
mod read;
mod remove;
mod store;

use std::sync::Arc;

use entity::{
    idempotency_keys::Model,
    values::{IdempotencyKey, KeyScope, UserId},
};
use time::{Duration, OffsetDateTime};

use super::now;
use crate::{
    db::{Db, Transaction},
    error::Error,
};
pub(super) use batch::{KeyedBatch, KeyedOutput, KeyedRow};
pub use in_flight::InFlight;
pub use remove::delete_expired;
pub(super) use remove::delete_some_of;

/// The time for which an answer is stored.
const LIFETIME: Duration = Duration::hours(24);

/// A request with a key.
#[derive(Clone, Debug)]
pub struct KeyedRequest {
    /// The requests among which the key is unique.
    pub scope: KeyScope,
    /// The key.
    pub key: IdempotencyKey,
    /// The SHA-256 of method, path, query and body, base64url. It does not cover a password.
    pub hash: String,
}

/// A key with its scope.
type ScopedKey = (KeyScope, IdempotencyKey);

/// The answer of a request, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that others of its kind do not share, `name: value`, one in each line.
    pub headers: String,
    /// The body; `None` if it has a secret.
    pub body: Option<String>,
    /// True if an earlier request was answered with it.
    pub is_replayed: bool,
}

impl StoredAnswer {
    /// An answer with a secret, which must not be stored. `location` is the path of what the request
    /// created.
    #[must_use]
    pub fn withheld(status: u16, location: &str) -> Self {
        Self {
            status,
            headers: format!("location: {location}"),
            body: None,
            is_replayed: false,
        }
    }

    /// The value of the header `name`, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers().find(|(other, _)| *other == name);
        found.map(|(_, value)| value)
    }

    /// The names and values of the headers.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .lines()
            .filter_map(|line| line.split_once(": "))
    }
}

/// A request with a key, and the function that makes its answer from the result of the write.
pub struct Keyed<T> {
    request: KeyedRequest,
    answer: Arc<Answer<T>>,
}

type Answer<T> = dyn Fn(&T) -> Result<StoredAnswer, Error> + Send + Sync;

impl KeyedRequest {
    /// Adds the function that makes the answer. It runs inside the transaction.
    #[must_use]
    pub fn answered_by<T>(
        self,
        answer: impl Fn(&T) -> Result<StoredAnswer, Error> + Send + Sync + 'static,
    ) -> Keyed<T> {
        Keyed {
            request: self,
            answer: Arc::new(answer),
        }
    }

    fn scoped_key(&self) -> ScopedKey {
        (self.scope, self.key.clone())
    }

    /// The stored answer of this request; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyReused`] if the key belongs to another request.
    pub async fn find(&self, db: &Db) -> Result<Option<Found>, Error> {
        let row = read::find(db, self.scoped_key()).await?;
        row.map(|row| self.found(row)).transpose()
    }

    fn found(&self, row: Model) -> Result<Found, Error> {
        if row.request_hash == self.hash {
            Ok(Found(row))
        } else {
            Err(Error::IdempotencyKeyReused)
        }
    }
}

impl<T> Clone for Keyed<T> {
    fn clone(&self) -> Self {
        Self {
            request: self.request.clone(),
            answer: Arc::clone(&self.answer),
        }
    }
}

impl<T> Keyed<T> {
    /// The answer, and its row. `user` is the user to whom the answer belongs.
    fn answer(&self, user: UserId, result: &T) -> Result<(StoredAnswer, Model), Error> {
        let answer = (self.answer)(result)?;
        let KeyedRequest { scope, key, hash } = self.request.clone();
        let row = Model {
            caller: scope,
            key,
            user_id: (!scope.has_caller()).then_some(user),
            request_hash: hash,
            status: answer.status.into(),
            headers: answer.headers.clone(),
            body: answer.body.clone(),
            created_at: now(),
        };
        Ok((answer, row))
    }

    /// Stores the answer, as the last statement of a write that is not batched. Returns it. `user` is the
    /// user to whom the answer belongs: the caller, or the user that a sign-up created.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyInUse`] if another request has stored its answer with the key meanwhile.
    /// The transaction must be rolled back then.
    pub(super) async fn store(
        &self,
        transaction: &Transaction,
        user: UserId,
        result: &T,
    ) -> Result<StoredAnswer, Error> {
        let (answer, row) = self.answer(user, result)?;
        store::store(transaction, row).await?;
        Ok(answer)
    }
}

/// The stored answer of a request that was sent again.
#[derive(Debug)]
pub struct Found(Model);

impl Found {
    /// The user that the request created, if it had no caller.
    #[must_use]
    pub fn new_user(&self) -> Option<UserId> {
        self.0.user_id
    }

    /// The answer.
    ///
    /// # Errors
    /// [`Error::AnswerNotStored`] if it has a secret.
    pub fn into_answer(self) -> Result<StoredAnswer, Error> {
        let answer = StoredAnswer {
            status: u16::try_from(self.0.status).map_err(Error::internal)?,
            headers: self.0.headers,
            body: self.0.body,
            is_replayed: true,
        };
        if answer.body.is_some() {
            return Ok(answer);
        }
        let location = answer.header("location").unwrap_or_default().to_owned();
        Err(Error::AnswerNotStored { location })
    }
}

/// Answers from before this time are no longer used.
fn cutoff() -> OffsetDateTime {
    now() - LIFETIME
}
