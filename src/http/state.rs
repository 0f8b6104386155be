//! What every handler can reach.

use time::Duration;

use super::{Drain, Limits};
use crate::{
    db::Db,
    services::auth::{
        Authenticator, access_tokens::AccessTokens, passwords::Passwords, rehash::RehashQueue,
    },
};

/// One worker's share of the service.
#[derive(Clone, Debug)]
pub struct State {
    /// The database.
    pub db: Db,
    /// The threads that hash passwords.
    pub passwords: Passwords,
    /// Passwords that wait to be re-hashed.
    pub rehashes: RehashQueue,
    /// Signs and checks access tokens.
    pub access_tokens: AccessTokens,
    /// Who is behind which token.
    pub authenticator: Authenticator,
    /// How long a session lasts after its last refresh.
    pub refresh_lifetime: Duration,
    /// Whether posts can be read without a token.
    pub public_reads: bool,
    /// How often somebody may ask.
    pub limits: Limits,
    /// What is under way.
    pub drain: Drain,
}

impl State {
    /// The same service for another worker.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        Self {
            db: self.db.for_worker(),
            ..self.clone()
        }
    }
}
