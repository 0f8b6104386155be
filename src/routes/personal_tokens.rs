//! `/tokens`: personal access tokens.

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use deserr::Deserr;
use entity::{
    personal_tokens::Model,
    values::{Scope, Scopes, TokenId, TokenLifetime, TokenName},
};
use secrecy::ExposeSecret;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    http::{
        Body, CurrentSession, Id, Problem, Route, State,
        idempotency::Keyed,
        input::BodyErrors,
        problem::types::{ANSWER_NOT_STORED, NOT_FOUND, QUOTA_EXCEEDED, TOKEN_LIMIT},
        route::route,
    },
    services::{
        auth::{Identity, personal_tokens},
        idempotency::StoredAnswer,
    },
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(create)
            .needs_full_session()
            .idempotent()
            .fails_with(&[TOKEN_LIMIT, ANSWER_NOT_STORED, QUOTA_EXCEEDED]),
        route!(list).needs(Scope::Account),
        route!(revoke)
            .needs(Scope::Account)
            .fails_with(&[NOT_FOUND]),
    ]
}

/// A new personal access token.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
struct TokenCreate {
    /// A name by which the owner recognises the token.
    name: TokenName,
    /// The scopes that the token is limited to.
    scopes: Scopes,
    /// The lifetime in seconds, at most 365 days. If omitted, the token is valid until it is revoked.
    #[deserr(default)]
    expires_in: Option<TokenLifetime>,
}

/// A personal access token.
#[derive(Serialize, ToSchema)]
pub(super) struct PersonalToken {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "Weather station")]
    name: String,
    #[schema(example = json!(["posts:create"]))]
    scopes: Vec<&'static str>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    /// Null if the token does not expire.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(format = DateTime, example = "2026-12-21T06:00:42.915716Z")]
    expires_at: Option<OffsetDateTime>,
    /// Exact to one minute. Null if the token was never used.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    last_used_at: Option<OffsetDateTime>,
    /// The token for `Authorization: Bearer`. Only in the response that creates it.
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
            id: token.id.get(),
            name: token.name.into(),
            scopes: token.scopes.iter().map(Scope::name).collect(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            token: None,
        }
    }
}

/// Create a personal access token
///
/// For a script, a bot or a device. Requires the access token of a session with every scope: neither a
/// personal access token nor a limited session can create tokens.
///
/// The response is not stored, because it has the token. If the request is repeated with its
/// `Idempotency-Key`, the response is 409 (`answer-not-stored`) and names the token: revoke it, and create
/// another with a new key.
#[utoipa::path(
    post, path = "/tokens", tag = "tokens", operation_id = "createToken",
    request_body = TokenCreate,
    responses(
        (status = 201, description = "The new token, which is not shown again", body = PersonalToken, headers(("Cache-Control" = String, description = "`no-store`"))),
    ),
)]
async fn create(
    session: CurrentSession,
    Body(new): Body<TokenCreate>,
    Keyed(keyed): Keyed,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let new = personal_tokens::NewToken {
        user_id: session.identity.id,
        session_id: Some(session.id),
        name: new.name,
        scopes: new.scopes,
        lifetime: new.expires_in,
    };
    let keyed = keyed.map(|keyed| {
        // The token itself must not be stored.
        keyed.answered_by(|token: &Model| {
            let location = format!("/tokens/{}", token.id);
            Ok(StoredAnswer::withheld(
                StatusCode::CREATED.as_u16(),
                &location,
            ))
        })
    });
    let (row, token) = personal_tokens::create(&state.db, new, keyed.as_ref()).await?;
    Ok(HttpResponse::Created().json(PersonalToken {
        token: Some(token.expose_secret().to_owned()),
        ..row.into()
    }))
}

/// List the caller's personal access tokens
#[utoipa::path(
    get, path = "/tokens", tag = "tokens", operation_id = "listTokens",
    responses((status = 200, description = "The tokens, newest first", body = [PersonalToken], headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn list(caller: Identity, state: Data<State>) -> Result<HttpResponse, Problem> {
    let tokens = personal_tokens::list(&state.db, caller.id).await?;
    let tokens: Vec<_> = tokens.into_iter().map(PersonalToken::from).collect();
    Ok(HttpResponse::Ok().json(tokens))
}

/// Revoke a personal access token
///
/// Takes effect at once on this server, and within 5 seconds on other servers.
#[utoipa::path(
    delete, path = "/tokens/{id}", tag = "tokens", operation_id = "revokeToken",
    params(Id<TokenId>),
    responses((status = 204, description = "The token is revoked")),
)]
async fn revoke(
    caller: Identity,
    Id(id): Id<TokenId>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    personal_tokens::revoke(&state.db, &state.authenticator, caller.id, id).await?;
    Ok(HttpResponse::NoContent().finish())
}
