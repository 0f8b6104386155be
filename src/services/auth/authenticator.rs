//! Authentication of requests by access tokens and personal access tokens.
//!
//! Rows of sessions and tokens are cached for 4 s. If this process ends a credential, it rejects
//! the credential at once. If another process ends it, this one learns of it from the event log, usually
//! within 0.3 s; if the log cannot be read, it accepts the credential until the cache entry expires.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::{
    personal_tokens as tokens, sessions,
    users::{self, Role},
    values::{Scopes, SessionId, UserId, Username},
};
use moka::{policy::EvictionPolicy, sync::Cache};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use time::OffsetDateTime;

use super::{
    access_tokens::AccessTokens, credential::Credential, last_used::UseQueue, opaque_token,
};
use crate::{
    db::{Db, First},
    error::Error,
};

/// Lifetime of a cache entry. Together with the duration of a request it must stay below 5 s: the
/// documented time until all processes reject an ended credential.
const CACHE_LIFETIME: Duration = Duration::from_secs(4);
/// How long an ended credential is remembered. Must outlast any request that could still cache a
/// stale row.
const ENDED_LIFETIME: Duration = Duration::from_mins(1);
/// Maximum number of entries of each cache, at about 200 bytes each.
const CAPACITY: u64 = 100_000;

/// An authenticated user and the credential of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's id.
    pub id: UserId,
    /// The user's username.
    pub username: Username,
    /// The user's role.
    pub role: Role,
    /// The scopes of the token.
    pub scopes: Scopes,
    /// The session or token that authenticated the request.
    pub credential: Credential,
    /// The time from which on the token is refused, in UTC; `None` if it does not expire.
    pub expires_at: Option<OffsetDateTime>,
}

impl Identity {
    /// The id of the session; `None` for a personal access token.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        match self.credential {
            Credential::Session(id) => Some(id),
            Credential::Token(_) => None,
        }
    }

    /// Whether this is the sign-in of a user, without limits: a session, and every scope. Anything else
    /// must neither create credentials nor use a role.
    #[must_use]
    pub fn is_full_session(&self) -> bool {
        self.session_id().is_some() && self.scopes == Scopes::ALL
    }

    /// Whether it has the rights of `role`.
    #[must_use]
    pub fn acts_as(&self, role: Role) -> bool {
        self.role >= role && self.is_full_session()
    }
}

/// Authenticates requests. Clones share the caches.
#[derive(Clone, Debug)]
pub struct Authenticator {
    /// `expires_at` is that of the row.
    live: Cache<Credential, Identity>,
    ended: Cache<Credential, ()>,
    /// Grows when entries of `live` are removed because their rows have changed. A row that was read
    /// before that is not added to `live`, which changes only under this lock.
    generation: Arc<Mutex<u64>>,
    uses: UseQueue,
}

impl Default for Authenticator {
    fn default() -> Self {
        Self {
            live: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(CACHE_LIFETIME)
                .build(),
            ended: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(ENDED_LIFETIME)
                // The default policy may reject a new entry.
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            generation: Arc::default(),
            uses: UseQueue::default(),
        }
    }
}

impl Authenticator {
    /// The identity of `token`, an access token or a personal access token.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] if the token is unknown, malformed, expired or ended, or if its user
    /// is suspended or deleted.
    pub async fn authenticate(
        &self,
        db: &Db,
        access_tokens: &AccessTokens,
        token: &str,
    ) -> Result<Identity, Error> {
        let (credential, verified) = if opaque_token::is_personal(token) {
            let hash = opaque_token::hash_personal(token).ok_or(Error::InvalidToken)?;
            (Credential::Token(hash), None)
        } else {
            let verified = access_tokens.verify(token)?;
            (Credential::Session(verified.session_id), Some(verified))
        };
        let mut identity = self.identity(db, credential).await?;
        if let Some(verified) = verified {
            if verified.user_id != identity.id {
                return Err(Error::InvalidToken);
            }
            identity.scopes = verified.scopes(identity.scopes);
            identity.expires_at = OffsetDateTime::from_unix_timestamp(verified.expires_at).ok();
        }
        Ok(identity)
    }

    /// The identity behind `credential`, with all its scopes.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] if it has ended or expired, or if its user is suspended or deleted.
    pub async fn identity(&self, db: &Db, credential: Credential) -> Result<Identity, Error> {
        if self.ended.contains_key(&credential) {
            return Err(Error::InvalidToken);
        }
        let identity = if let Some(identity) = self.live.get(&credential) {
            identity
        } else {
            let generation = *self.generation();
            let found = read(db, &self.uses, &credential).await?;
            let identity = found.ok_or(Error::InvalidToken)?;
            self.remember(credential, identity.clone(), generation);
            identity
        };
        let is_valid = |at: OffsetDateTime| at > OffsetDateTime::now_utc();
        let valid = identity.expires_at.is_none_or(is_valid);
        valid.then_some(identity).ok_or(Error::InvalidToken)
    }

    /// Rejects `credentials` from now on. Call it after the transaction that deletes their rows.
    pub fn end(&self, credentials: impl IntoIterator<Item = Credential>) {
        let credentials: Vec<_> = credentials.into_iter().collect();
        for credential in &credentials {
            self.ended.insert(credential.clone(), ());
        }
        self.forget(credentials);
    }

    /// Removes `credentials` from the cache, so that their rows are read again. Call it after the
    /// transaction that changes the rows. A row that was read before this call is not cached.
    pub fn forget(&self, credentials: impl IntoIterator<Item = Credential>) {
        let mut generation = self.generation();
        *generation = generation.wrapping_add(1);
        for credential in credentials {
            self.live.invalidate(&credential);
        }
    }

    /// Removes every credential of `users` from the cache, like [`forget`](Self::forget). Looks at all
    /// entries, so call it for many users at once.
    pub fn forget_users(&self, users: &HashSet<UserId>) {
        let of_users = |entry: &(Arc<Credential>, Identity)| users.contains(&entry.1.id);
        let credentials: Vec<_> = self.live.iter().filter(of_users).collect();
        let credentials = credentials
            .iter()
            .map(|(credential, _)| Credential::clone(credential));
        self.forget(credentials);
    }

    /// The queue of the uses to be stored.
    #[must_use]
    pub fn uses(&self) -> &UseQueue {
        &self.uses
    }

    /// Caches `identity`, if its row was read in the current generation.
    fn remember(&self, credential: Credential, identity: Identity, read_in: u64) {
        let generation = self.generation();
        if *generation == read_in {
            self.live.insert(credential, identity);
        }
    }

    fn generation(&self) -> MutexGuard<'_, u64> {
        let generation = self.generation.lock();
        generation.unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(
    db: &Db,
    queue: &UseQueue,
    credential: &Credential,
) -> Result<Option<Identity>, Error> {
    let (user, scopes, last_used_at, expires_at) = match credential {
        Credential::Session(id) => {
            let found = sessions::Entity::find()
                .find_also_related(users::Entity)
                .filter(sessions::Column::Id.eq(*id))
                .first(db.read())
                .await?;
            let Some((session, user)) = found else {
                return Ok(None);
            };
            let (last_used_at, expires_at) = (session.last_used_at, session.expires_at);
            let scopes = session.granted_scopes();
            (user, scopes, Some(last_used_at), Some(expires_at))
        }
        Credential::Token(hash) => {
            let found = tokens::Entity::find()
                .find_also_related(users::Entity)
                .filter(tokens::COLUMN.hash.eq(hash.as_str()))
                .first(db.read())
                .await?;
            let Some((token, user)) = found else {
                return Ok(None);
            };
            (user, token.scopes, token.last_used_at, token.expires_at)
        }
    };
    let Some(user) = user.filter(|user| user.suspended_at.is_none()) else {
        return Ok(None);
    };
    queue.note(credential, last_used_at);
    let identity = Identity {
        id: user.id,
        username: user.username,
        role: user.role,
        scopes,
        credential: credential.clone(),
        expires_at,
    };
    Ok(Some(identity))
}

#[cfg(test)]
mod tests {
    use entity::values::{Scopes, UserId, Username};

    use super::{Authenticator, Credential, Identity, Role};

    #[test]
    fn a_row_that_was_read_before_a_change_is_not_cached_after_it() {
        let authenticator = Authenticator::default();
        let credential = Credential::Token("hash".to_owned());
        let identity = Identity {
            id: UserId::parse(1).unwrap(),
            username: Username::generate(),
            role: Role::User,
            scopes: Scopes::ALL,
            credential: credential.clone(),
            expires_at: None,
        };
        let read = || *authenticator.generation();
        let remember = |read_in| {
            authenticator.remember(credential.clone(), identity.clone(), read_in);
            authenticator.live.contains_key(&credential)
        };
        let stale = read();
        authenticator.forget([credential.clone()]);
        assert!(!remember(stale));
        assert!(remember(read()));
        let stale = read();
        authenticator.end([credential.clone()]);
        assert!(!remember(stale));
    }
}
