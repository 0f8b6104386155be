//! Who is behind a token: an access token of a session, or a personal access token.
//!
//! A request asks a cache first, which keeps what the database said for [`KEPT`]. What this process
//! ends stops at once; what another one ends, when the cache has forgotten it.

use std::{fmt, time::Duration};

pub use entity::users::Role;
use entity::{personal_tokens as tokens, sessions, users};
use moka::{policy::EvictionPolicy, sync::Cache};
use sea_orm::{Condition, EntityTrait, QueryFilter, sea_query::Expr};
use time::OffsetDateTime;

use super::{access_tokens::AccessTokens, personal_tokens, scopes::Scopes};
use crate::{
    db::{Db, First},
    error::Error,
    services::now,
};

/// How long an answer of the database is believed. With the time that a request takes it is less
/// than the 5 s in which what another process ended stops here.
const KEPT: Duration = Duration::from_secs(4);
/// How long it is remembered that something was ended here: longer than a request that read it
/// before may take to put it into the cache.
const REMEMBERED: Duration = Duration::from_mins(1);
/// How many sessions and tokens are kept at most, at some 200 bytes each.
const CAPACITY: u64 = 100_000;
/// How exact `last_used_at` is.
const USE_NOTED: time::Duration = time::Duration::minutes(1);

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub id: i64,
    /// The user's name.
    pub username: String,
    /// What the user may do.
    pub role: Role,
    /// What the token may do.
    pub scopes: Scopes,
    /// By what the user is known.
    pub by: Credential,
}

impl Identity {
    /// The session, if it is not a personal access token.
    #[must_use]
    pub fn session_id(&self) -> Option<i64> {
        match self.by {
            Credential::Session(id) => Some(id),
            Credential::Token(_) => None,
        }
    }
}

/// What can be ended.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A session, by its number.
    Session(i64),
    /// A personal access token, by its hash.
    Token(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "Session({id})"),
            Self::Token(_) => f.write_str("Token(..)"),
        }
    }
}

/// Who it is, and until when.
type Known = (Identity, Option<OffsetDateTime>);

/// What is known of sessions and tokens. Clones share it.
#[derive(Clone, Debug)]
pub struct Authenticator {
    live: Cache<Credential, Known>,
    ended: Cache<Credential, ()>,
}

impl Default for Authenticator {
    fn default() -> Self {
        Self {
            live: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(KEPT)
                .build(),
            ended: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(REMEMBERED)
                // The default policy may turn a new key away.
                .eviction_policy(EvictionPolicy::lru())
                .build(),
        }
    }
}

impl Authenticator {
    /// Who sent `token`.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] for what is no token of this service, expired, ended, or of a user
    /// who is suspended or gone.
    pub async fn identify(
        &self,
        db: &Db,
        access_tokens: &AccessTokens,
        token: &str,
    ) -> Result<Identity, Error> {
        let (key, user_id) = if personal_tokens::is_one(token) {
            let hash = personal_tokens::checked(token).ok_or(Error::InvalidToken)?;
            (Credential::Token(hash), None)
        } else {
            let verified = access_tokens.verify(token)?;
            (
                Credential::Session(verified.session_id),
                Some(verified.user_id),
            )
        };
        if self.ended.contains_key(&key) {
            return Err(Error::InvalidToken);
        }
        let (identity, expires_at) = if let Some(known) = self.live.get(&key) {
            known
        } else {
            let known = look_up(db, &key).await?.ok_or(Error::InvalidToken)?;
            self.live.insert(key, known.clone());
            known
        };
        let fits = user_id.is_none_or(|user_id| user_id == identity.id)
            && expires_at.is_none_or(|at| at > OffsetDateTime::now_utc());
        fits.then_some(identity).ok_or(Error::InvalidToken)
    }

    /// Ends `keys` here. Called after their rows are gone.
    pub fn end(&self, keys: impl IntoIterator<Item = Credential>) {
        for key in keys {
            self.ended.insert(key.clone(), ());
            self.live.invalidate(&key);
        }
    }

    /// Asks the database anew about `keys`.
    pub fn forget(&self, keys: impl IntoIterator<Item = Credential>) {
        keys.into_iter().for_each(|key| self.live.invalidate(&key));
    }
}

async fn look_up(db: &Db, key: &Credential) -> Result<Option<Known>, Error> {
    let now = now();
    let (user, scopes, last_used_at, expires_at) = match key {
        Credential::Session(id) => {
            let found = sessions::Entity::find()
                .find_also_related(users::Entity)
                .filter(sessions::COLUMN.id.eq(*id))
                .first(db.read())
                .await?;
            let Some((session, user)) = found else {
                return Ok(None);
            };
            let expires_at = Some(session.expires_at);
            (user, Scopes::ALL, Some(session.last_used_at), expires_at)
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
            let scopes = Scopes::parse(token.scopes.split(' ')).unwrap_or(Scopes(0));
            (user, scopes, token.last_used_at, token.expires_at)
        }
    };
    let Some(user) = user.filter(|user| user.suspended_at.is_none()) else {
        return Ok(None);
    };
    if last_used_at.is_none_or(|at| at + USE_NOTED < now)
        && let Err(error) = note_use(db, key, now).await
    {
        tracing::warn!(%error, "the last use of a session or token was not noted");
    }
    let identity = Identity {
        id: user.id,
        username: user.username,
        role: user.role,
        scopes,
        by: key.clone(),
    };
    Ok(Some((identity, expires_at)))
}

async fn note_use(db: &Db, key: &Credential, now: OffsetDateTime) -> Result<(), Error> {
    db.write(|transaction| async move {
        match key {
            Credential::Session(id) => sessions::Entity::update_many()
                .col_expr(sessions::Column::LastUsedAt, Expr::value(now))
                .filter(sessions::COLUMN.id.eq(*id))
                .filter(sessions::COLUMN.last_used_at.lt(now - USE_NOTED))
                .exec(&transaction)
                .await
                .map(drop),
            Credential::Token(hash) => tokens::Entity::update_many()
                .col_expr(tokens::Column::LastUsedAt, Expr::value(now))
                .filter(tokens::COLUMN.hash.eq(hash.as_str()))
                .filter(
                    Condition::any()
                        .add(tokens::COLUMN.last_used_at.is_null())
                        .add(tokens::COLUMN.last_used_at.lt(now - USE_NOTED)),
                )
                .exec(&transaction)
                .await
                .map(drop),
        }?;
        Ok(())
    })
    .await
}
