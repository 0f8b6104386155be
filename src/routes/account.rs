//! `/users/me`: what users do with their own account.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header::CACHE_CONTROL},
    web::{self, Data, ServiceConfig},
};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};
use validator::Validate;

use super::users::User;
use crate::{
    error::Fault,
    http::{
        Body, Caller, Problem, Request, State, Then, limits,
        route::{get, on},
        rules::{self, Secret},
    },
    services::{
        account::{self, Changes},
        auth::ACCOUNT,
        users,
    },
};

#[derive(OpenApi)]
#[openapi(paths(me, change, delete))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(
        get(web::resource("/users/me"), me)
            .route(on(Method::PATCH, change))
            .route(on(Method::DELETE, delete)),
    );
}

/// What to change of one's account; what is left out stays as it is.
#[derive(Deserialize, Validate, ToSchema)]
struct AccountPatch {
    /// Lower-cased; unique.
    #[serde(default, deserialize_with = "rules::present_lower_case")]
    #[validate(custom(function = "rules::username"))]
    #[schema(
        nullable = false,
        min_length = 3,
        max_length = 30,
        pattern = "^[A-Za-z0-9_-]+$",
        example = "ada"
    )]
    username: Option<String>,
    /// Trimmed and lower-cased; unique; shown to nobody else. Needs `current_password`.
    #[serde(default, deserialize_with = "rules::present_trimmed_lower_case")]
    #[validate(custom(function = "rules::email"))]
    #[schema(nullable = false, format = Email, max_length = 254, pattern = r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$")]
    email: Option<String>,
    /// 8 to 128 characters. Needs `current_password`; ends every other session and every token.
    #[serde(default, deserialize_with = "rules::present")]
    #[validate(custom(function = "rules::password"))]
    #[schema(nullable = false, value_type = String, format = Password, min_length = 8, max_length = 128, pattern = r"^[^\u0000]*$")]
    password: Option<Secret>,
    /// Needed for a new e-mail address or password.
    #[serde(default, deserialize_with = "rules::present")]
    #[validate(custom(function = "rules::any_password"))]
    #[schema(nullable = false, value_type = String, format = Password, max_length = 128, example = "correct horse")]
    current_password: Option<Secret>,
}

impl Request for AccountPatch {}

/// Whose account is to be deleted.
#[derive(Deserialize, Validate, ToSchema)]
struct Deletion {
    #[serde(default)]
    #[validate(custom(function = "rules::any_password"))]
    #[schema(required, value_type = String, format = Password, max_length = 128, example = "correct horse")]
    current_password: Secret,
}

impl Request for Deletion {
    const REQUIRED: &'static [&'static str] = &["current_password"];
}

/// The signed-in user
#[utoipa::path(
    get, path = "/users/me", tag = "users", operation_id = "getMe",
    security(("password" = ["account"]), ("token" = [])),
    responses((status = 200, description = "The caller", body = User, headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn me(Caller(caller): Caller<ACCOUNT>, state: Data<State>) -> Result<HttpResponse, Problem> {
    let user = users::get(&state.db, caller.id).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(User::own(user)))
}

/// Change one's account
///
/// A new password ends every other session, and every personal access token.
#[utoipa::path(
    patch, path = "/users/me", tag = "users", operation_id = "patchMe",
    security(("password" = ["account"]), ("token" = [])),
    request_body(content = AccountPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The account as it is now", body = User, headers(("Cache-Control" = String, description = "`no-store`"))),
        (status = 409, description = "The e-mail address or the username is taken"),
    ),
)]
async fn change(
    Then(Caller(caller), Body(patch)): Then<Caller<ACCOUNT>, Body<AccountPatch>>,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let State {
        db,
        passwords,
        authenticator,
        ..
    } = state.get_ref();
    let mut verified = None;
    if patch.email.is_some() || patch.password.is_some() {
        let Some(current) = patch.current_password else {
            let fault = Fault::new(
                "current_password",
                "required",
                "is required for a new e-mail address or password",
            );
            return Err(Problem::invalid(vec![fault]));
        };
        limits::account(&request, &caller.username)?;
        let hash = account::verify_password(db, passwords, &caller, current.0).await?;
        verified = Some(hash);
    }
    if let Some(password) = &patch.password {
        let user = users::get(db, caller.id).await?;
        let email = patch.email.as_deref().unwrap_or(&user.email);
        let username = patch.username.as_deref().unwrap_or(&user.username);
        let fault = rules::own_name("password", password, &[email, username]);
        if let Some(fault) = fault {
            return Err(Problem::invalid(vec![fault]));
        }
    }
    let changes = Changes {
        username: patch.username,
        email: patch.email,
        password: patch.password.map(|password| password.0),
    };
    let user = account::change(
        db,
        passwords,
        authenticator,
        &caller,
        changes,
        verified.as_ref(),
    )
    .await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(User::own(user)))
}

/// Delete one's account
///
/// Posts and votes go with it, and the vote counts follow; every session and token ends.
#[utoipa::path(
    delete, path = "/users/me", tag = "users", operation_id = "deleteMe",
    security(("password" = ["account"]), ("token" = [])),
    request_body = Deletion,
    responses((status = 204, description = "Deleted")),
)]
async fn delete(
    Then(Caller(caller), Body(deletion)): Then<Caller<ACCOUNT>, Body<Deletion>>,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let State {
        db,
        passwords,
        authenticator,
        ..
    } = state.get_ref();
    limits::account(&request, &caller.username)?;
    let password = deletion.current_password.0;
    let verified = account::verify_password(db, passwords, &caller, password).await?;
    account::delete(db, authenticator, &caller, &verified).await?;
    Ok(HttpResponse::NoContent().finish())
}
