//! `/login`: the token endpoint of OAuth 2.0 (RFC 6749, sections 4.3 and 6).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{CACHE_CONTROL, PRAGMA, USER_AGENT},
    },
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};
use secrecy::ExposeSecret;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, IgnoredAny},
};
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};
use validator::Validate;

use crate::{
    error::Fault,
    http::{
        Body, Problem, Read, Request, State, limits,
        route::on,
        rules::{self, Secret},
    },
    services::auth::{
        Scopes, sessions,
        sign_in::{SignIn, sign_in},
    },
};

#[derive(OpenApi)]
#[openapi(paths(login))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    let login = on(Method::POST, login).wrap(from_fn(limits::sign_in));
    config.service(web::resource("/login").route(login));
}

/// Who wants to sign in, or to stay signed in.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
enum Grants {
    Password(PasswordGrant),
    RefreshToken(RefreshTokenGrant),
}

impl Read for Grants {
    const FORMS: bool = true;

    fn read(members: Map<String, Value>) -> Result<Self, Vec<Fault>> {
        if members
            .get("grant_type")
            .is_some_and(|grant| grant == "refresh_token")
        {
            RefreshTokenGrant::read(members).map(Self::RefreshToken)
        } else {
            PasswordGrant::read(members).map(Self::Password)
        }
    }
}

/// Who wants to sign in.
#[derive(Deserialize, Validate, ToSchema)]
struct PasswordGrant {
    /// The e-mail address or the username.
    #[serde(default)]
    #[validate(length(max = 254), custom(function = "rules::no_nul"))]
    #[schema(
        required,
        max_length = 254,
        pattern = r"^[^\u0000]*$",
        example = "ada@example.com"
    )]
    username: String,
    #[serde(default)]
    #[validate(custom(function = "rules::any_password"))]
    #[schema(required, value_type = String, format = Password, max_length = 128, example = "correct horse")]
    password: Secret,
    #[serde(default, rename = "grant_type", deserialize_with = "password")]
    #[schema(inline)]
    _grant_type: PasswordGrantType,
}

#[derive(Default, ToSchema)]
#[schema(rename_all = "snake_case", default = json!("password"))]
enum PasswordGrantType {
    #[default]
    Password,
}

/// `refresh_token` was read as a [`RefreshTokenGrant`] before.
fn password<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PasswordGrantType, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "password" => Ok(PasswordGrantType::Password),
        _ => Err(D::Error::custom(
            "unknown variant, expected `password` or `refresh_token`",
        )),
    }
}

/// Who wants to stay signed in.
#[derive(Deserialize, Validate, ToSchema)]
struct RefreshTokenGrant {
    /// To be used once: the answer has the next one.
    #[serde(default)]
    #[validate(custom(function = "rules::any_password"))]
    #[schema(required, value_type = String, format = Password, max_length = 128, example = "Zx1kqP0vB7sD3fJ9mW2nR5tY8uC4hL6gA1eQ0iO7pKj")]
    refresh_token: Secret,
    #[serde(default, rename = "grant_type")]
    #[schema(inline, required, value_type = RefreshGrantType)]
    _grant_type: IgnoredAny,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum RefreshGrantType {
    #[expect(dead_code, reason = "for the document alone")]
    RefreshToken,
}

impl Request for PasswordGrant {
    const REQUIRED: &'static [&'static str] = &["username", "password"];
    const FORMS: bool = true;
}

impl Request for RefreshTokenGrant {
    const REQUIRED: &'static [&'static str] = &["refresh_token"];
    const FORMS: bool = true;
}

/// An access token, and what the next one is had for.
#[derive(Serialize, ToSchema)]
struct Grant {
    /// For `Authorization: Bearer`.
    #[schema(example = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")]
    access_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Seconds for which the token is good.
    #[schema(example = 3600)]
    expires_in: u64,
    /// For `grant_type=refresh_token`, once.
    #[schema(example = "Zx1kqP0vB7sD3fJ9mW2nR5tY8uC4hL6gA1eQ0iO7pKj")]
    refresh_token: String,
    /// What the access token may do: everything.
    #[schema(example = "posts:read posts:create posts:update posts:delete votes:write account")]
    scope: String,
}

/// Sign in, or stay signed in
///
/// A refresh token is used once; the one it was exchanged for replaces it. It works for another 10
/// seconds after that; then its use ends the session, because somebody else may have it.
#[utoipa::path(
    post, path = "/login", tag = "sign-in", operation_id = "login",
    security(()),
    // One media type: generators of clients that know several at once are few.
    request_body(
        content = Grants, content_type = "application/x-www-form-urlencoded",
        description = "`multipart/form-data` and `application/json` with the same members are read too.",
    ),
    responses(
        (status = 200, description = "Signed in", body = Grant, headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 401, description = "The username or the password is wrong, or the refresh token is not valid", headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 403, description = "The account is suspended"),
    ),
)]
async fn login(
    Body(grant): Body<Grants>,
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
        Grants::Password(grant) => {
            let attempt = SignIn {
                name: grant.username,
                password: grant.password.0,
                user_agent: user_agent(&request),
                lifetime,
            };
            let admit = |account: &str| limits::account(&request, account);
            sign_in(db, passwords, rehashes, attempt, admit).await?
        }
        Grants::RefreshToken(grant) => {
            sessions::refresh(db, authenticator, &grant.refresh_token.0, lifetime).await?
        }
    };
    let answer = Grant {
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
