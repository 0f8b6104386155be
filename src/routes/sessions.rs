//! `/sessions` and `/logout`

use actix_web::{HttpRequest, HttpResponse, http::header::LINK, web::Data};
use entity::{
    sessions::Model,
    values::{Scope, SessionId},
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::types::CursorParameters;
use crate::{
    http::{
        CurrentSession, Id, Problem, Query, Route, State, link::link, problem::types::NOT_FOUND,
        route::route,
    },
    services::auth::{Identity, sessions},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(log_out).needs_session(),
        route!(list).needs(Scope::Account),
        route!(end_all).needs(Scope::Account),
        route!(end).needs(Scope::Account).fails_with(&[NOT_FOUND]),
    ]
}

/// A session. A sign-in starts it.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    #[schema(example = 4_217_630_912_345_i64)]
    id: i64,
    /// The `User-Agent` of the sign-in.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64)")]
    user_agent: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    /// Exact to one minute.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    last_used_at: OffsetDateTime,
    /// Each refresh extends it.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-12-21T06:00:42.915716Z")]
    expires_at: OffsetDateTime,
    /// Its scopes. The access tokens of a refresh can have fewer.
    #[schema(example = json!(["posts:read", "votes:write"]))]
    scopes: Vec<&'static str>,
    /// Whether the request's access token belongs to this session.
    #[schema(example = true)]
    current: bool,
}

impl Session {
    pub(super) fn of(session: Model, current: Option<SessionId>) -> Self {
        Self {
            current: current == Some(session.id),
            scopes: session.granted_scopes().iter().map(Scope::name).collect(),
            id: session.id.get(),
            user_agent: session.user_agent,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
        }
    }
}

/// Sign out
///
/// Ends the session of the access token. Takes effect at once on this server, and within 5 seconds on
/// other servers.
///
/// Safe to repeat without `Idempotency-Key`: the second response is 401, because the session has ended.
#[utoipa::path(
    post, path = "/logout", tag = "sessions", operation_id = "logOut",
    responses((status = 204, description = "The session has ended")),
)]
async fn log_out(session: CurrentSession, state: Data<State>) -> Result<HttpResponse, Problem> {
    let caller = session.identity.id;
    sessions::end(&state.db, &state.authenticator, caller, session.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List the caller's sessions
///
/// A user has at most 100 sessions. A sign-in beyond that ends the least recently used one.
#[utoipa::path(
    get, path = "/sessions", tag = "sessions", operation_id = "listSessions",
    params(CursorParameters),
    responses((status = 200, description = "The sessions, newest first", body = [Session], headers(
        ("Cache-Control" = String, description = "`no-store`"),
        ("Link" = String, description = "The URIs of the pages `next` and `prev` (RFC 8288)"),
    ))),
)]
async fn list(
    caller: Identity,
    Query(parameters): Query<CursorParameters>,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let CursorParameters { limit, cursor } = parameters;
    let page = sessions::list_page(&state.db, caller.id, limit, cursor).await?;
    let current = caller.session_id();
    let sessions: Vec<_> = page
        .items
        .into_iter()
        .map(|session| Session::of(session, current))
        .collect();
    let mut response = HttpResponse::Ok();
    if let Some(link) = link(&request, page.next, page.prev) {
        response.insert_header((LINK, link));
    }
    Ok(response.json(sessions))
}

/// End one of the caller's sessions
///
/// Takes effect at once on this server, and within 5 seconds on other servers.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "sessions", operation_id = "endSession",
    params(Id<SessionId>),
    responses((status = 204, description = "The session has ended")),
)]
async fn end(
    caller: Identity,
    Id(id): Id<SessionId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    sessions::end(&state.db, &state.authenticator, caller.id, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sign out everywhere
#[utoipa::path(
    delete, path = "/sessions", tag = "sessions", operation_id = "endSessions",
    responses((status = 204, description = "All sessions have ended, including the current one")),
)]
async fn end_all(caller: Identity, state: Data<State>) -> Result<HttpResponse, Problem> {
    sessions::end_all(&state.db, &state.authenticator, caller.id).await?;
    Ok(HttpResponse::NoContent().finish())
}
