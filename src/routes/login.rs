//! `/login`: the token endpoint of OAuth 2.0 (RFC 6749, section 4.3).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{CACHE_CONTROL, PRAGMA},
    },
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use validator::Validate;

use crate::{
    http::{
        Body, Problem, Request, State, limits,
        route::on,
        rules::{self, Secret},
    },
    services::users,
};

#[derive(OpenApi)]
#[openapi(paths(login))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    let login = on(Method::POST, login).wrap(from_fn(limits::sign_in));
    config.service(web::resource("/login").route(login));
}

/// Who wants to sign in.
#[derive(Deserialize, Validate, ToSchema)]
struct Credentials {
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
    #[serde(default)]
    #[schema(inline)]
    grant_type: GrantType,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = json!("password"))]
enum GrantType {
    #[default]
    Password,
}

impl Request for Credentials {
    const REQUIRED: &'static [&'static str] = &["username", "password"];
    const FORMS: bool = true;
}

/// An access token.
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
}

/// Sign in
#[utoipa::path(
    post, path = "/login", tag = "sign-in", operation_id = "login",
    security(()),
    // One media type: generators of clients that know several at once are few.
    request_body(
        content = Credentials, content_type = "application/x-www-form-urlencoded",
        description = "`multipart/form-data` and `application/json` with the same members are read too.",
    ),
    responses(
        (status = 200, description = "Signed in", body = Grant, headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 401, description = "The username or the password is wrong"),
    ),
)]
async fn login(
    Body(credentials): Body<Credentials>,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let GrantType::Password = credentials.grant_type;
    let name = &credentials.username.trim().to_ascii_lowercase();
    limits::account(&request, name)?;
    let id = users::sign_in(&state.db, &state.passwords, name, credentials.password.0).await?;
    let answer = Grant {
        access_token: state.tokens.issue(id)?,
        token_type: "bearer",
        expires_in: state.tokens.lifetime().as_secs(),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .json(answer))
}
