//! The application state of the handlers.

use std::sync::Arc;

use actix_web::{HttpRequest, web::Data};
use time::Duration;
use url::Url;

use super::{Drain, Limits, Problem, Readiness, limits::Streams};
use crate::{
    db::Db,
    metrics::Metrics,
    services::{
        auth::{
            Authenticator, access_tokens::AccessTokens, passwords::Passwords, rehash::RehashQueue,
        },
        events::Hub,
        export::Exports,
        idempotency::InFlight,
        import::Imports,
        quotas::Quotas,
        removal::Removals,
        webhooks::Webhooks,
    },
};

pub(super) const NO_STATE: &str = "the server was built without its state";

/// The application state of one worker.
#[derive(Clone, Debug)]
pub struct State {
    /// The database.
    pub db: Db,
    /// The thread pool that hashes passwords.
    pub passwords: Passwords,
    /// The queue of passwords with an outdated hash.
    pub rehashes: RehashQueue,
    /// Signs and verifies access tokens.
    pub access_tokens: AccessTokens,
    /// Resolves a token to its user.
    pub authenticator: Authenticator,
    /// The lifetime of a session after its last refresh.
    pub refresh_lifetime: Duration,
    /// Whether posts are readable without a token.
    pub public_reads: bool,
    /// The front end that `GET /` names.
    pub frontend_url: Option<Url>,
    /// The exports in progress.
    pub exports: Exports,
    /// The imports in progress.
    pub imports: Imports,
    /// Wakes the job that removes deleted accounts.
    pub removals: Removals,
    /// The quotas of users.
    pub quotas: Quotas,
    /// The requests with an `Idempotency-Key` that are in progress.
    pub in_flight: InFlight,
    /// New events, for the streams.
    pub events: Hub,
    /// How long events are kept.
    pub events_keep: Duration,
    /// The open streams.
    pub streams: Streams,
    /// What handlers and jobs of webhooks share.
    pub webhooks: Webhooks,
    /// The rate limits.
    pub limits: Limits,
    /// The count of open requests.
    pub drain: Drain,
    /// The last check of the database.
    pub readiness: Readiness,
    /// What requests count; `None` if metrics are off.
    pub metrics: Option<Arc<Metrics>>,
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
            .ok_or_else(|| Problem::internal(NO_STATE))
    }

    /// The state for another worker. On PostgreSQL it has a connection pool of its own.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        Self {
            db: self.db.for_worker(),
            ..self.clone()
        }
    }
}
