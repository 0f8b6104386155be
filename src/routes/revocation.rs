//! `/revoke`: token revocation (RFC 7009).

use actix_web::{HttpResponse, web::Data};
use deserr::Deserr;
use entity::values::{IgnoredText, PresentedToken};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    http::{Form, Problem, Route, State, input::BodyErrors, problem::OAuthError, route::route},
    services::auth::revocation,
};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(revoke)]
}

/// A token to revoke or introspect.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
#[expect(dead_code, reason = "the other members are only checked")]
pub(super) struct TokenQuery {
    /// An access token, a refresh token or a personal access token.
    pub(super) token: PresentedToken,
    /// Ignored: the service recognises the kind of a token.
    #[deserr(default, from(IgnoredText) = Some)]
    #[schema(value_type = Option<String>, nullable = false, max_length = 1000, example = "refresh_token")]
    token_type_hint: Option<IgnoredText>,
    /// Ignored: the service has no registered clients.
    #[deserr(default, from(IgnoredText) = Some)]
    #[schema(nullable = false)]
    client_id: Option<IgnoredText>,
    /// Ignored.
    #[deserr(default, from(IgnoredText) = Some)]
    #[schema(nullable = false)]
    client_secret: Option<IgnoredText>,
}

/// Revoke a token
///
/// Whoever has a token can revoke it; the request needs no other credentials. A personal access token
/// is revoked. An access token or a refresh token ends its session, with all its tokens. Takes effect at
/// once on this server, and within 5 seconds on other servers.
///
/// Safe to repeat without `Idempotency-Key`: the second response is also 200.
#[utoipa::path(
    post, path = "/revoke", tag = "sign-in", operation_id = "revoke",
    request_body(
        content = TokenQuery, content_type = "application/x-www-form-urlencoded",
        description = "Also accepts `multipart/form-data` and `application/json` with the same members.",
    ),
    responses(
        (status = 200, description = "The token is revoked, or is not known (RFC 7009, section 2.2)", body = Object),
        (status = 400, description = "`token` is missing, or the body is malformed", body = OAuthError),
    ),
)]
async fn revoke(form: Form, state: Data<State>) -> Result<HttpResponse, Problem> {
    let State {
        db,
        access_tokens,
        authenticator,
        ..
    } = state.get_ref();
    let TokenQuery { token, .. } = read(form, &state)?;
    revocation::revoke(db, access_tokens, authenticator, token).await?;
    // Clients ignore the body, but some accept only JSON.
    Ok(HttpResponse::Ok().json(json!({})))
}

/// The token in `form`. Errors of the form are errors of OAuth 2.0.
pub(super) fn read(form: Form, state: &State) -> Result<TokenQuery, Problem> {
    let query = form.read();
    query.map_err(|problem| problem.for_oauth(state.access_tokens.issuer()))
}
