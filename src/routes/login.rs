//! `/login`: the token endpoint of OAuth 2.0 (RFC 6749, sections 4.3 and 6).

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{PRAGMA, USER_AGENT},
    web::Data,
};
use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use entity::values::{Password, RefreshToken, Scopes, SignInName};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        Form, Problem, Route, State,
        input::{BodyErrors, ObjectReader},
        limits::AddressLimit,
        problem::types::{ACCOUNT_SUSPENDED, INVALID_CREDENTIALS, INVALID_REFRESH_TOKEN},
        route::route,
    },
    services::auth::{
        sessions::{self, IssuedSession, NewSession},
        sign_in::{SignIn, sign_in},
    },
};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(login).limited_by(AddressLimit::SignIn).fails_with(&[
        INVALID_CREDENTIALS,
        INVALID_REFRESH_TOKEN,
        ACCOUNT_SUSPENDED,
    ])]
}

/// An OAuth 2.0 access token request. `grant_type` selects the grant.
#[derive(ToSchema)]
#[serde(untagged)]
enum TokenRequest {
    Password(PasswordGrant),
    RefreshToken(RefreshTokenGrant),
}

#[derive(Default, Deserr)]
#[deserr(error = BodyErrors, rename_all = lowercase)]
enum GrantType {
    #[default]
    Password,
    #[deserr(rename = "refresh_token")]
    RefreshToken,
}

/// The password grant (RFC 6749, section 4.3): a sign-in.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
struct PasswordGrant {
    /// The e-mail address or the username.
    username: SignInName,
    password: Password,
    #[deserr(skip)]
    #[schema(rename = "grant_type", inline, required = false)]
    _grant_type: PasswordGrantType,
}

#[derive(Default, ToSchema)]
#[schema(rename_all = "snake_case", default = json!("password"))]
enum PasswordGrantType {
    #[default]
    Password,
}

/// The refresh token grant (RFC 6749, section 6).
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
struct RefreshTokenGrant {
    /// Valid for one use. The response has the next one.
    refresh_token: RefreshToken,
    #[deserr(skip)]
    #[schema(rename = "grant_type", inline)]
    _grant_type: RefreshGrantType,
}

#[derive(Default, ToSchema)]
#[schema(rename_all = "snake_case")]
enum RefreshGrantType {
    #[default]
    RefreshToken,
}

/// Not derived, because deserr does not support a default for the tag.
impl Deserr<BodyErrors> for TokenRequest {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, BodyErrors> {
        let mut object = ObjectReader::new(value, location)?;
        match object.optional("grant_type").unwrap_or_default() {
            GrantType::Password => object.finish_as().map(Self::Password),
            GrantType::RefreshToken => object.finish_as().map(Self::RefreshToken),
        }
    }
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
    /// The scopes of the access token: all scopes.
    #[schema(example = "posts:read posts:create posts:update posts:delete votes:write account")]
    scope: String,
}

impl TokenResponse {
    /// The tokens of `session`, with a new access token.
    pub(super) fn of(state: &State, session: &IssuedSession) -> Result<Self, Problem> {
        Ok(Self {
            access_token: state.access_tokens.issue(session.user_id, session.id)?,
            token_type: "bearer",
            expires_in: state.access_tokens.lifetime().as_secs(),
            refresh_token: session.refresh_token.expose_secret().to_owned(),
            scope: Scopes::ALL.to_string(),
        })
    }
}

/// Sign in, or refresh a session
///
/// A refresh token is valid for one use, and the response has the next one. It keeps working for 10
/// more seconds, in case two browser tabs use it or a response is lost. Later use ends the session,
/// because the token may be stolen. If two responses for one refresh token have different next
/// tokens, use only one of them: the use of both ends the session too.
#[utoipa::path(
    post, path = "/login", tag = "sign-in", operation_id = "login",
    // Few client generators support several media types.
    request_body(
        content = TokenRequest, content_type = "application/x-www-form-urlencoded",
        description = "Also accepts `multipart/form-data` and `application/json` with the same members.",
    ),
    responses(
        (status = 200, description = "Signed in", body = TokenResponse, headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 401, description = "The username or the password is wrong, or the refresh token is not valid", headers(("Cache-Control" = String, description = "`no-store`"))),
    ),
)]
async fn login(
    Form(request_body): Form<TokenRequest>,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let State {
        db,
        passwords,
        rehashes,
        authenticator,
        ..
    } = state.get_ref();
    let session = match request_body {
        TokenRequest::Password(grant) => {
            let name = grant.username.normalised();
            state.limits.count_sign_in(&request, &name)?;
            let attempt = SignIn {
                name: grant.username,
                password: grant.password,
                session: new_session(&state, &request),
            };
            let admit = |user| state.limits.admits_password(user);
            sign_in(db, passwords, rehashes, authenticator, attempt, admit).await?
        }
        TokenRequest::RefreshToken(grant) => {
            let lifetime = state.refresh_lifetime;
            sessions::refresh(db, authenticator, grant.refresh_token, lifetime).await?
        }
    };
    Ok(HttpResponse::Ok()
        .insert_header((PRAGMA, "no-cache"))
        .json(TokenResponse::of(&state, &session)?))
}

/// A session for the client of `request`, with the first 200 characters of its `User-Agent`, or none
/// if that is missing or not ASCII.
pub(super) fn new_session(state: &State, request: &HttpRequest) -> NewSession {
    let agent = request.headers().get(USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    NewSession {
        user_agent: agent.unwrap_or_default().chars().take(200).collect(),
        lifetime: state.refresh_lifetime,
    }
}
