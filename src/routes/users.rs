//! `/users`

use actix_web::{
    HttpResponse,
    http::{
        Method,
        header::{CACHE_CONTROL, LOCATION},
    },
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};
use entity::users::Model;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{OpenApi, ToSchema};
use validator::Validate;

use super::staff;
use crate::{
    error::Fault,
    http::{
        Anyone, Body, Id, Problem, Request, State, Then, limits,
        route::{get, on},
        rules::{self, Secret},
    },
    services::{
        auth::{ACCOUNT, sign_up},
        users,
    },
};

#[derive(OpenApi)]
#[openapi(paths(sign_up, user))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    let sign_up = on(Method::POST, sign_up).wrap(from_fn(limits::sign_up));
    config
        .service(get(web::resource("/users"), staff::list).route(sign_up))
        .service(get(web::resource("/users/{id}"), user));
}

/// Who wants to sign up.
#[derive(Deserialize, Validate, ToSchema)]
struct NewUser {
    /// Trimmed and lower-cased; unique; shown to nobody else.
    #[serde(default, deserialize_with = "rules::lower_case")]
    #[validate(custom(function = "rules::email"))]
    #[schema(required, format = Email, max_length = 254, pattern = r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$", example = "ada@example.com")]
    email: String,
    /// 8 to 128 characters. One of the most common passwords, the e-mail address and the username
    /// are refused (422, `common`).
    #[serde(default)]
    #[validate(custom(function = "rules::password"))]
    #[schema(required, value_type = String, format = Password, min_length = 8, max_length = 128, pattern = r"^[^\u0000]*$", example = "correct horse")]
    password: Secret,
    /// Lower-cased; unique; made by the server when left out.
    #[serde(default, deserialize_with = "rules::some_lower_case")]
    #[validate(custom(function = "rules::username"))]
    #[schema(
        min_length = 3,
        max_length = 30,
        pattern = "^[A-Za-z0-9_-]+$",
        example = "ada"
    )]
    username: Option<String>,
}

impl Request for NewUser {
    const REQUIRED: &'static [&'static str] = &["email", "password"];

    fn together(&self) -> Vec<Fault> {
        let username = self.username.as_deref().unwrap_or_default();
        let fault = rules::own_name("password", &self.password, &[&self.email, username]);
        fault.into_iter().collect()
    }
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(super) struct User {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "ada")]
    username: String,
    /// Only in what the user sees of themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ada@example.com")]
    email: Option<String>,
    /// `user`, `moderator` or `admin`; only in what the user sees of themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "user")]
    role: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
}

impl User {
    fn public(user: Model) -> Self {
        Self {
            email: None,
            role: None,
            ..Self::own(user)
        }
    }

    pub(super) fn own(user: Model) -> Self {
        Self {
            id: user.id,
            username: user.username,
            email: Some(user.email),
            role: Some(user.role.to_string()),
            created_at: user.created_at,
        }
    }
}

/// Sign up
#[utoipa::path(
    post, path = "/users", tag = "users", operation_id = "signUp",
    security(()),
    request_body = NewUser,
    responses(
        (status = 201, description = "Signed up", body = User, headers(("Location" = String, description = "The user's path"), ("Cache-Control" = String, description = "`no-store`"))),
        (status = 409, description = "The e-mail address or the username is taken"),
    ),
)]
async fn sign_up(Body(new): Body<NewUser>, state: Data<State>) -> Result<HttpResponse, Problem> {
    let new = sign_up::NewUser {
        email: new.email,
        username: new.username,
        password: new.password.0,
    };
    let user = sign_up::sign_up(&state.db, &state.passwords, new).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/users/{}", user.id)))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(User::own(user)))
}

/// A user
#[utoipa::path(
    get, path = "/users/{id}", tag = "users", operation_id = "getUser",
    security((), ("password" = ["posts:read"]), ("token" = [])),
    params(Id),
    responses(
        (status = 200, description = "The user; with the e-mail address when it is the caller", body = User, headers(("Cache-Control" = String, description = "`no-store` when it is the caller"))),
        (status = 401, description = "A token came, and is not valid"),
        (status = 404, description = "No such user"),
    ),
)]
async fn user(
    Then(Anyone(caller), Id(id)): Then<Anyone, Id>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let user = users::get(&state.db, id).await?;
    let mut answer = HttpResponse::Ok();
    if caller.is_some_and(|caller| caller.id == id && caller.scopes.has(ACCOUNT)) {
        answer.insert_header((CACHE_CONTROL, "no-store"));
        return Ok(answer.json(User::own(user)));
    }
    Ok(answer.json(User::public(user)))
}
