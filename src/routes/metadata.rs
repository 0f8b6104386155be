//! `/.well-known/oauth-authorization-server`: the metadata of the authorization server (RFC 8414).

use actix_web::{HttpRequest, HttpResponse, http::header::HOST, web::Data};
use entity::values::Scope;
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

use crate::http::{Problem, Route, State, problem::types::BAD_REQUEST, route::route};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(metadata).fails_with(&[BAD_REQUEST])]
}

/// The metadata of the OAuth 2.0 authorization server (RFC 8414, section 2).
#[derive(Serialize, ToSchema)]
struct ServerMetadata {
    /// The setting `PUBLIC_URL`; without it, `http` and the host of the request.
    #[schema(example = "https://api.example")]
    issuer: String,
    #[schema(example = "https://api.example/login")]
    token_endpoint: String,
    #[schema(example = "https://api.example/revoke")]
    revocation_endpoint: String,
    #[schema(example = "https://api.example/introspect")]
    introspection_endpoint: String,
    /// Only if access tokens are signed with a key pair (`JWT_KEY_FILE`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "https://api.example/.well-known/jwks.json"
    )]
    jwks_uri: Option<String>,
    #[schema(example = "https://api.example/docs")]
    service_documentation: String,
    #[schema(max_items = 2, example = json!(["password", "refresh_token"]))]
    grant_types_supported: [&'static str; 2],
    /// None: there is no authorization endpoint. RFC 8414 requires the member (section 2), although it
    /// leaves empty lists out elsewhere (section 3.2).
    #[schema(value_type = Vec<&str>, max_items = 0, example = json!([]))]
    response_types_supported: [&'static str; 0],
    #[schema(example = json!(["posts:read", "votes:write"]))]
    scopes_supported: Vec<&'static str>,
    #[schema(max_items = 1, example = json!(["none"]))]
    token_endpoint_auth_methods_supported: [&'static str; 1],
    #[schema(max_items = 1, example = json!(["none"]))]
    revocation_endpoint_auth_methods_supported: [&'static str; 1],
    #[schema(max_items = 1, example = json!(["Bearer"]))]
    introspection_endpoint_auth_methods_supported: [&'static str; 1],
}

/// Get the metadata of the OAuth 2.0 authorization server
///
/// Set `PUBLIC_URL` if clients reach the service through a proxy: without it the URLs begin with `http`
/// and the host of the request.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "sign-in",
    operation_id = "getServerMetadata",
    responses(
        (status = 200, description = "The metadata", body = ServerMetadata, headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 400, description = "The request has no valid `Host`"),
    ),
)]
async fn metadata(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let tokens = &state.access_tokens;
    let issuer = match tokens.issuer() {
        Some(issuer) => issuer.to_owned(),
        // Goes only to the client that sent the header: no cache stores the response.
        None => origin_of(&request)
            .ok_or_else(|| Problem::malformed("the header `Host` is missing or not a host"))?,
    };
    let url = |path: &str| format!("{issuer}{path}");
    let has_public_keys = !tokens.public_keys().is_empty();
    Ok(HttpResponse::Ok().json(ServerMetadata {
        token_endpoint: url("/login"),
        revocation_endpoint: url("/revoke"),
        introspection_endpoint: url("/introspect"),
        jwks_uri: has_public_keys.then(|| url("/.well-known/jwks.json")),
        service_documentation: url("/docs"),
        grant_types_supported: ["password", "refresh_token"],
        response_types_supported: [],
        scopes_supported: Scope::ALL.iter().map(|scope| scope.name()).collect(),
        token_endpoint_auth_methods_supported: ["none"],
        revocation_endpoint_auth_methods_supported: ["none"],
        introspection_endpoint_auth_methods_supported: ["Bearer"],
        issuer,
    }))
}

/// `http` and the header `Host`, as an origin.
fn origin_of(request: &HttpRequest) -> Option<String> {
    let host = request.headers().get(HOST)?.to_str().ok()?;
    let has_other_parts = host.contains(['/', '?', '#', '@', '\\']);
    let url = Url::parse(&format!("http://{host}")).ok();
    let url = url.filter(|_| !has_other_parts)?;
    Some(url.origin().ascii_serialization())
}
