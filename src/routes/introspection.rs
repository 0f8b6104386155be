//! `/introspect`: token introspection (RFC 7662).

use actix_web::{HttpResponse, web::Data};
use entity::values::Scope;
use serde::Serialize;
use utoipa::ToSchema;

use super::revocation::{TokenQuery, read};
use crate::{
    http::{Form, Problem, Route, State, problem::OAuthError, route::route},
    services::auth::introspection,
};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(introspect).needs(Scope::Introspect)]
}

/// The state of a token. The other members are present only if it is active.
#[derive(Default, Serialize, ToSchema)]
struct TokenState {
    /// Whether the service would accept the token now.
    #[schema(example = true)]
    active: bool,
    /// The scopes, separated by spaces; for a refresh token, those of its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "posts:read votes:write")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ada")]
    username: Option<String>,
    /// `bearer`, or `refresh_token`, which no route but `/login` accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "bearer")]
    token_type: Option<&'static str>,
    /// In seconds since 1970. Missing if the token does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1_795_255_097)]
    exp: Option<i64>,
    /// In seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1_795_251_497)]
    iat: Option<i64>,
    /// The user's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "1")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "acclaim")]
    aud: Option<&'static str>,
    /// The issuer: the service's `PUBLIC_URL`, or `acclaim` if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "acclaim")]
    iss: Option<String>,
}

/// Introspect a token
///
/// For services that get tokens of users and do not verify them with the public keys, or must know at
/// once that a session has ended. The answer is the current state, and does not count as a use of the
/// token. The request counts towards the limit of writes of the caller.
///
/// Safe to repeat without `Idempotency-Key`: it changes nothing.
#[utoipa::path(
    post, path = "/introspect", tag = "sign-in", operation_id = "introspect",
    request_body(
        content = TokenQuery, content_type = "application/x-www-form-urlencoded",
        description = "Also accepts `multipart/form-data` and `application/json` with the same members.",
    ),
    responses(
        (status = 200, description = "The state of the token", body = TokenState, headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 400, description = "`token` is missing, or the body is malformed", body = OAuthError),
    ),
)]
async fn introspect(form: Form, state: Data<State>) -> Result<HttpResponse, Problem> {
    let State {
        db, access_tokens, ..
    } = state.get_ref();
    let TokenQuery { token, .. } = read(form, &state)?;
    let active = introspection::introspect(db, access_tokens, token).await?;
    let state = active.map(|token| TokenState {
        active: true,
        scope: Some(token.scopes.to_string()),
        username: Some(token.username.into()),
        token_type: Some(if token.is_refresh_token {
            "refresh_token"
        } else {
            "bearer"
        }),
        exp: token.expires_at,
        iat: Some(token.issued_at),
        sub: Some(token.user_id.to_string()),
        aud: Some(access_tokens.audience()),
        iss: Some(access_tokens.iss().to_owned()),
    });
    Ok(HttpResponse::Ok().json(state.unwrap_or_default()))
}
