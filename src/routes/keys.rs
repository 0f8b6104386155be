//! `/.well-known/jwks.json`: the public keys, for services that verify access tokens themselves.

use actix_web::{HttpResponse, http::header::CACHE_CONTROL, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{Route, State, route::route};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(jwks)]
}

/// A JWK Set (RFC 7517, section 5).
#[derive(Serialize, ToSchema)]
struct Jwks<'a> {
    keys: Vec<Jwk<'a>>,
}

/// An Ed25519 public key (RFC 8037, section 2).
#[derive(Serialize, ToSchema)]
struct Jwk<'a> {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    /// The public key, in base64url.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: &'a str,
    /// The key id, as in the header of tokens.
    #[schema(example = "q83vEjRWeJA")]
    kid: &'a str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: &'static str,
}

/// Get the public keys
///
/// Other services verify access tokens with them. The set is empty if the service signs with a
/// secret (`JWT_SECRET`).
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "service", operation_id = "getJwks",
    responses((
        status = 200, description = "A JWK Set", body = Jwks,
        headers(("Cache-Control" = String, description = "`public, max-age=300`")),
    )),
)]
async fn jwks(state: Data<State>) -> HttpResponse {
    let keys = state
        .access_tokens
        .public_keys()
        .iter()
        .map(|(kid, x)| Jwk {
            kty: "OKP",
            crv: "Ed25519",
            x,
            kid,
            alg: "EdDSA",
            usage: "sig",
        });
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .json(Jwks {
            keys: keys.collect(),
        })
}
