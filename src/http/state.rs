//! The state that every handler can reach.

use actix_web::{HttpRequest, web::Data};
use time::Duration;

use super::{Drain, Limits, Problem};
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
    /// Takes passwords whose hash is outdated.
    pub rehashes: RehashQueue,
    /// Signs and checks access tokens.
    pub access_tokens: AccessTokens,
    /// Finds the user of a token.
    pub authenticator: Authenticator,
    /// The lifetime of a session after its last refresh.
    pub refresh_lifetime: Duration,
    /// Whether posts can be read without a token.
    pub public_reads: bool,
    /// The rate limits.
    pub limits: Limits,
    /// The requests under way.
    pub drain: Drain,
}

impl State {
    /// The state of the server that handles `request`.
    ///
    /// # Errors
    /// 500 if the server was built without its state.
    pub fn of(request: &HttpRequest) -> Result<&Self, Problem> {
        request
            .app_data::<Data<Self>>()
            .map(Data::get_ref)
            .ok_or_else(|| Problem::internal("the server was built without its state"))
    }

    /// The same service for another worker.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        Self {
            db: self.db.for_worker(),
            ..self.clone()
        }
    }
}
