//! `/sessions` and `/logout`

use actix_web::{
    HttpResponse,
    http::{Method, header::CACHE_CONTROL},
    web::{self, Data, ServiceConfig},
};
use entity::sessions::Model;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::{OpenApi, ToSchema};

use crate::{
    http::{
        Caller, Id, Problem, SignedIn, State, Then,
        route::{get, on},
    },
    services::auth::{ACCOUNT, sessions},
};

#[derive(OpenApi)]
#[openapi(paths(log_out, list, end, end_all))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(web::resource("/logout").route(on(Method::POST, log_out)))
        .service(get(web::resource("/sessions"), list).route(on(Method::DELETE, end_all)))
        .service(web::resource("/sessions/{id}").route(on(Method::DELETE, end)));
}

/// A sign-in that has not ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    #[schema(example = 4_217_630_912_345_i64)]
    id: i64,
    /// What the client called itself.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64)")]
    user_agent: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    /// Right to a minute.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    last_used_at: OffsetDateTime,
    /// Unless it is refreshed before.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-12-21T06:00:42.915716Z")]
    expires_at: OffsetDateTime,
    /// Whether it is the one that asks.
    #[schema(example = true)]
    current: bool,
}

impl Session {
    pub(super) fn of(session: Model, current: Option<i64>) -> Self {
        Self {
            current: current == Some(session.id),
            id: session.id,
            user_agent: session.user_agent,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
        }
    }
}

/// Sign out
///
/// The session's access and refresh tokens stop working at once.
#[utoipa::path(
    post, path = "/logout", tag = "sessions", operation_id = "logOut",
    security(("password" = []), ("token" = [])),
    responses((status = 204, description = "Signed out")),
)]
async fn log_out(
    SignedIn(caller, session_id): SignedIn,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    sessions::end(&state.db, &state.authenticator, caller.id, session_id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List one's sessions
#[utoipa::path(
    get, path = "/sessions", tag = "sessions", operation_id = "listSessions",
    security(("password" = ["account"]), ("token" = [])),
    responses((status = 200, description = "The sessions, the last started first", body = [Session], headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn list(
    Caller(caller): Caller<ACCOUNT>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let found = sessions::list(&state.db, caller.id).await?;
    let current = caller.session_id();
    let sessions: Vec<_> = found
        .into_iter()
        .map(|session| Session::of(session, current))
        .collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(sessions))
}

/// End one of one's sessions
///
/// It stops working at once here, and within 5 seconds on every other server of the service.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "sessions", operation_id = "endSession",
    security(("password" = ["account"]), ("token" = [])),
    params(Id),
    responses(
        (status = 204, description = "Ended"),
        (status = 404, description = "No such session of one's own"),
    ),
)]
async fn end(
    Then(Caller(caller), Id(id)): Then<Caller<ACCOUNT>, Id>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    sessions::end(&state.db, &state.authenticator, caller.id, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sign out everywhere
#[utoipa::path(
    delete, path = "/sessions", tag = "sessions", operation_id = "endSessions",
    security(("password" = ["account"]), ("token" = [])),
    responses((status = 204, description = "Every session is ended, this one too")),
)]
async fn end_all(
    Caller(caller): Caller<ACCOUNT>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    sessions::end_all(&state.db, &state.authenticator, caller.id).await?;
    Ok(HttpResponse::NoContent().finish())
}
