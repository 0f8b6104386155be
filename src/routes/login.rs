//! `/login`: the token endpoint of OAuth 2.0 (RFC 6749, sections 4.3 and 6).

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, PRAGMA, USER_AGENT},
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
        input::{BodyErrors, Object},
        limits::AddressLimit,
        problem::types::{ACCOUNT_SUSPENDED, INVALID_CREDENTIALS, INVALID_REFRESH_TOKEN},
        route::route,
    },
    services::auth::{
        sessions,
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

/// A grant of OAuth 2.0, chosen by `grant_type`.
#[derive(ToSchema)]
#[schema(as = Grants)]
#[serde(untagged)]
enum Grant {
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

/// A sign-in (RFC 6749, section 4.3).
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

/// A refresh (RFC 6749, section 6).
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
struct RefreshTokenGrant {
    /// It is used once: the answer has the next one.
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

/// By hand, because a derived reader needs a tag that is always there.
impl Deserr<BodyErrors> for Grant {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, BodyErrors> {
        let mut object = Object::open(value, location)?;
        match object.optional("grant_type").unwrap_or_default() {
            GrantType::Password => object.finish_as().map(Self::Password),
            GrantType::RefreshToken => object.finish_as().map(Self::RefreshToken),
        }
    }
}

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
#[schema(as = Grant)]
struct TokenResponse {
    /// For `Authorization: Bearer`.
    #[schema(example = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")]
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// The lifetime of the access token, in seconds.
    #[schema(example = 3600)]
    expires_in: u64,
    /// For the next `grant_type=refresh_token`. It is used once.
    #[schema(example = "Zx1kqP0vB7sD3fJ9mW2nR5tY8uC4hL6gA1eQ0iO7pKj")]
    refresh_token: String,
    /// The scopes of the access token: all of them.
    #[schema(example = "posts:read posts:create posts:update posts:delete votes:write account")]
    scope: String,
}

/// Sign in, or stay signed in
///
/// A refresh token is used once; the answer has the next one. It works for another 10 seconds, for
/// two tabs of a browser or a lost answer; after that its use ends the session, because it may be
/// stolen.
#[utoipa::path(
    post, path = "/login", tag = "sign-in", operation_id = "login",
    // One media type: few client generators support several.
    request_body(
        content = Grant, content_type = "application/x-www-form-urlencoded",
        description = "`multipart/form-data` and `application/json` with the same members are read too.",
    ),
    responses(
        (status = 200, description = "Signed in", body = TokenResponse, headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 401, description = "The username or the password is wrong, or the refresh token is not valid", headers(("Cache-Control" = String, description = "`no-store`"))),
    ),
)]
async fn login(
    Form(grant): Form<Grant>,
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
    let lifetime = state.refresh_lifetime;
    let session = match grant {
        Grant::Password(grant) => {
            let attempt = SignIn {
                name: grant.username,
                password: grant.password,
                user_agent: user_agent(&request),
                lifetime,
            };
            let admit = |account: &str| state.limits.count_sign_in(&request, account);
            sign_in(db, passwords, rehashes, attempt, admit).await?
        }
        Grant::RefreshToken(grant) => {
            sessions::refresh(db, authenticator, grant.refresh_token, lifetime).await?
        }
    };
    let answer = TokenResponse {
        access_token: state.access_tokens.issue(session.user_id, session.id)?,
        token_type: "bearer",
        expires_in: state.access_tokens.lifetime().as_secs(),
        refresh_token: session.refresh_token.expose_secret().to_owned(),
        scope: Scopes::ALL.to_string(),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .json(answer))
}

/// The first 200 characters of `User-Agent`, as far as it is text.
fn user_agent(request: &HttpRequest) -> String {
    let agent = request.headers().get(USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    agent.unwrap_or_default().chars().take(200).collect()
}
