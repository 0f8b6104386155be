//! `/login`: the token endpoint of OAuth 2.0 (RFC 6749, sections 4.3 and 6).

mod request;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{PRAGMA, USER_AGENT},
    },
    web::Data,
};
use entity::values::Scopes;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        Form, Problem, Route, State,
        limits::AddressLimit,
        problem::{
            OAuthError,
            types::{ACCOUNT_SUSPENDED, INVALID_CREDENTIALS, UNPROCESSABLE_CONTENT},
        },
        route::route,
    },
    metrics,
    services::auth::{
        sessions::{self, IssuedSession, NewSession},
        sign_in::{SignIn, sign_in},
    },
};

use request::{AccessTokenRequest, Grant, TokenRequest};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(login).limited_by(AddressLimit::SignIn).fails_with(&[
        INVALID_CREDENTIALS,
        ACCOUNT_SUSPENDED,
        UNPROCESSABLE_CONTENT,
    ])]
}

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenResponse {
    /// The token for `Authorization: Bearer`.
    #[schema(example = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")]
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// The lifetime of the access token, in seconds.
    #[schema(example = 3600)]
    expires_in: u64,
    /// The token for the next `grant_type=refresh_token`. Valid for one use.
    #[schema(example = "Zx1kqP0vB7sD3fJ9mW2nR5tY8uC4hL6gA1eQ0iO7pKj")]
    refresh_token: String,
    /// The scopes of the access token, separated by spaces.
    #[schema(
        example = "posts:read posts:create posts:update posts:delete votes:write account introspect"
    )]
    scope: String,
}

impl TokenResponse {
    /// The tokens of `session`, with a new access token.
    pub(super) fn of(state: &State, session: &IssuedSession) -> Result<Self, Problem> {
        Ok(Self {
            access_token: state.access_tokens.issue(
                session.user_id,
                session.id,
                session.scopes,
                session.narrowed,
            )?,
            token_type: "bearer",
            expires_in: state.access_tokens.lifetime().as_secs(),
            refresh_token: session.refresh_token.expose_secret().to_owned(),
            scope: session.scopes.to_string(),
        })
    }
}

/// Sign in, or refresh a session
///
/// A refresh token is valid for one use, and the response has the next one. It keeps working for 10
/// more seconds, in case two browser tabs use it or a response is lost. Later use ends the session,
/// because the token may be stolen. If two responses for one refresh token have different next
/// tokens, use only one of them: the use of both ends the session too.
///
/// If the request has a `grant_type`, the client speaks OAuth 2.0: an error of the request, the
/// credentials or the grant is a 400 with `OAuthError` (RFC 6749, section 5.2). Without it, the same
/// error is a 401, 403 or 422 with problem details. All other errors have problem details in both
/// cases, and so does a body of which the service cannot read the members.
///
/// Safe to repeat without `Idempotency-Key`: a second sign-in starts another session.
#[utoipa::path(
    post, path = "/login", tag = "sign-in", operation_id = "login",
    // Few client generators support several media types.
    request_body(
        content = TokenRequest, content_type = "application/x-www-form-urlencoded",
        description = "Also accepts `multipart/form-data` and `application/json` with the same members.",
    ),
    responses(
        (status = 200, description = "Signed in", body = TokenResponse, headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 400, description = "With `grant_type`: an error of OAuth 2.0. Otherwise the request is malformed", body = OAuthError, headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 401, description = "Without `grant_type`: the username or the password is wrong", headers(("Cache-Control" = String, description = "`no-store`"))),
    ),
)]
async fn login(
    form: Form,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let is_oauth = form.contains("grant_type");
    let session = issue(form, &state, &request).await;
    let session = session.map_err(|problem| {
        if is_oauth {
            problem.for_oauth(state.access_tokens.issuer())
        } else {
            problem
        }
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((PRAGMA, "no-cache"))
        .json(TokenResponse::of(&state, &session)?))
}

/// Starts or refreshes a session, as `form` requests.
async fn issue(form: Form, state: &State, request: &HttpRequest) -> Result<IssuedSession, Problem> {
    let AccessTokenRequest { grant, scopes } = form.read()?;
    match grant {
        Grant::Password { username, password } => {
            let attempt = SignIn {
                name: username,
                password,
                session: new_session(state, request, scopes),
            };
            let session = try_password(attempt, state, request).await;
            if let Some(metrics) = &state.metrics {
                metrics.count_sign_in(outcome(&session));
            }
            session
        }
        Grant::RefreshToken(token) => {
            let (db, lifetime) = (&state.db, state.refresh_lifetime);
            let session = sessions::refresh(db, &state.authenticator, token, scopes, lifetime);
            Ok(session.await?)
        }
    }
}

async fn try_password(
    attempt: SignIn,
    state: &State,
    request: &HttpRequest,
) -> Result<IssuedSession, Problem> {
    let State {
        db,
        passwords,
        rehashes,
        authenticator,
        limits,
        ..
    } = state;
    limits.count_sign_in(request, &attempt.name.normalised())?;
    let admit = |user| limits.admits_password(user);
    Ok(sign_in(db, passwords, rehashes, authenticator, attempt, admit).await?)
}

fn outcome(session: &Result<IssuedSession, Problem>) -> metrics::SignIn {
    match session.as_ref().map_err(ResponseError::status_code) {
        Ok(_) => metrics::SignIn::Success,
        Err(StatusCode::UNAUTHORIZED) => metrics::SignIn::Refused,
        Err(StatusCode::FORBIDDEN) => metrics::SignIn::Suspended,
        Err(StatusCode::TOO_MANY_REQUESTS) => metrics::SignIn::Limited,
        Err(_) => metrics::SignIn::Failed,
    }
}

/// A session with `scopes` for the client of `request`, with the first 200 characters of its `User-Agent`, or none
/// if that is missing or not ASCII.
pub(super) fn new_session(
    state: &State,
    request: &HttpRequest,
    scopes: Option<Scopes>,
) -> NewSession {
    let agent = request.headers().get(USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    NewSession {
        user_agent: agent.unwrap_or_default().chars().take(200).collect(),
        lifetime: state.refresh_lifetime,
        // A session with every scope also gets those of later versions.
        scopes: scopes.filter(|scopes| *scopes != Scopes::ALL),
    }
}
