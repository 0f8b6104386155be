//! `/tokens`: personal access tokens.

use actix_web::{
    HttpResponse,
    http::{Method, header::CACHE_CONTROL},
    web::{self, Data, ServiceConfig},
};
use entity::personal_tokens::Model;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::{OpenApi, ToSchema};
use validator::Validate;

use crate::{
    http::{
        Body, Caller, Id, Problem, Request, SignedIn, State, Then,
        route::{get, on},
        rules,
    },
    services::auth::{
        ACCOUNT, POSTS_CREATE, POSTS_DELETE, POSTS_READ, POSTS_UPDATE, Scopes, VOTES_WRITE,
        personal_tokens,
    },
};

#[derive(OpenApi)]
#[openapi(paths(create, list, revoke))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(get(web::resource("/tokens"), list).route(on(Method::POST, create)))
        .service(web::resource("/tokens/{id}").route(on(Method::DELETE, revoke)));
}

/// A token to be.
#[derive(Deserialize, Validate, ToSchema)]
struct NewToken {
    /// What you call it.
    #[serde(default)]
    #[validate(
        length(min = 1, max = 100),
        custom(function = "rules::not_blank"),
        custom(function = "rules::no_nul")
    )]
    #[schema(
        required,
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\u0000]*[^\u0000\t-\r\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000]*$",
        example = "Weather station"
    )]
    name: String,
    /// What it may do.
    #[serde(default = "one_scope")]
    #[validate(length(min = 1, max = 6, message = "must be 1 to 6 scopes"))]
    #[schema(required, min_items = 1, max_items = 6, example = json!(["posts:create"]))]
    scopes: Vec<Scope>,
    /// For how many seconds it is good, up to a year; until it is revoked when left out.
    #[serde(default)]
    #[validate(range(min = 1, max = 31_536_000))]
    #[schema(minimum = 1, maximum = 31_536_000, example = 2_592_000)]
    expires_in: Option<i64>,
}

impl Request for NewToken {
    const REQUIRED: &'static [&'static str] = &["name", "scopes"];
}

/// What stands for missing scopes: nothing that is refused.
fn one_scope() -> Vec<Scope> {
    vec![Scope::PostsRead]
}

/// What a personal access token may do.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
enum Scope {
    #[serde(rename = "posts:read")]
    PostsRead,
    #[serde(rename = "posts:create")]
    PostsCreate,
    #[serde(rename = "posts:update")]
    PostsUpdate,
    #[serde(rename = "posts:delete")]
    PostsDelete,
    #[serde(rename = "votes:write")]
    VotesWrite,
    #[serde(rename = "account")]
    Account,
}

impl Scope {
    fn bit(self) -> u8 {
        match self {
            Self::PostsRead => POSTS_READ,
            Self::PostsCreate => POSTS_CREATE,
            Self::PostsUpdate => POSTS_UPDATE,
            Self::PostsDelete => POSTS_DELETE,
            Self::VotesWrite => VOTES_WRITE,
            Self::Account => ACCOUNT,
        }
    }
}

/// A personal access token.
#[derive(Serialize, ToSchema)]
pub(super) struct PersonalToken {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "Weather station")]
    name: String,
    #[schema(example = json!(["posts:create"]))]
    scopes: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    /// Never, when null.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(format = DateTime, example = "2026-12-21T06:00:42.915716Z")]
    expires_at: Option<OffsetDateTime>,
    /// Right to a minute; never, when null.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    last_used_at: Option<OffsetDateTime>,
    /// For `Authorization: Bearer`. Shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "acl_9rVq2mJ4tZ0cW7xB5nK1sL8dF3gH6p0Qa1B2c"
    )]
    token: Option<String>,
}

impl From<Model> for PersonalToken {
    fn from(token: Model) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scopes: token.scopes.split(' ').map(str::to_owned).collect(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            token: None,
        }
    }
}

/// Make a personal access token
///
/// For a script, a bot or a device. Needs a sign-in: no token makes tokens.
#[utoipa::path(
    post, path = "/tokens", tag = "tokens", operation_id = "createToken",
    security(("password" = []), ("token" = [])),
    request_body = NewToken,
    responses(
        (status = 201, description = "The token, shown this once", body = PersonalToken, headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 409, description = "There are a hundred already"),
    ),
)]
async fn create(
    Then(SignedIn(caller, session_id), Body(new)): Then<SignedIn, Body<NewToken>>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let scopes = new
        .scopes
        .into_iter()
        .fold(0, |set, scope| set | scope.bit());
    let lifetime = new.expires_in.map(Duration::seconds);
    let (row, token) = personal_tokens::create(
        &state.db,
        caller.id,
        Some(session_id),
        new.name,
        Scopes(scopes),
        lifetime,
    )
    .await?;
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(PersonalToken {
            token: Some(token.expose_secret().to_owned()),
            ..row.into()
        }))
}

/// List one's personal access tokens
#[utoipa::path(
    get, path = "/tokens", tag = "tokens", operation_id = "listTokens",
    security(("password" = ["account"]), ("token" = [])),
    responses((status = 200, description = "The tokens, newest first", body = [PersonalToken], headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn list(
    Caller(caller): Caller<ACCOUNT>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let tokens = personal_tokens::list(&state.db, caller.id).await?;
    let tokens: Vec<_> = tokens.into_iter().map(PersonalToken::from).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(tokens))
}

/// Revoke a personal access token
///
/// It stops working at once here, and within 5 seconds on every other server of the service.
#[utoipa::path(
    delete, path = "/tokens/{id}", tag = "tokens", operation_id = "revokeToken",
    security(("password" = ["account"]), ("token" = [])),
    params(Id),
    responses(
        (status = 204, description = "Revoked"),
        (status = 404, description = "No such token of one's own"),
    ),
)]
async fn revoke(
    Then(Caller(caller), Id(id)): Then<Caller<ACCOUNT>, Id>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    personal_tokens::revoke(&state.db, &state.authenticator, caller.id, id).await?;
    Ok(HttpResponse::NoContent().finish())
}
