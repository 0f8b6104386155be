//! `/users/me`: the caller's account.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use deserr::Deserr;
use entity::values::{ChosenPassword, ChosenUsername, Email, Password, Scope, Username};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    login::{TokenResponse, new_session},
    users::User,
};
use crate::{
    error::FieldError,
    http::{
        Body, Problem, Route, State,
        input::BodyErrors,
        prefer::BodyRequired,
        problem::types::{EMAIL_TAKEN, USERNAME_TAKEN, WRONG_PASSWORD},
        route::route,
    },
    services::{
        account::{self, Changes},
        auth::Identity,
    },
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(me).needs(Scope::Account),
        route!(change)
            .needs(Scope::Account)
            .honours_prefer()
            .fails_with(&[WRONG_PASSWORD, EMAIL_TAKEN, USERNAME_TAKEN]),
        route!(delete)
            .needs(Scope::Account)
            .fails_with(&[WRONG_PASSWORD]),
    ]
}

/// The members of the account to change. Omitted members stay unchanged.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
struct AccountUpdate {
    /// Converted to lower case. Must be unique. Some words, such as `admin`, are rejected (422,
    /// `reserved`), except for the current username.
    #[deserr(default, from(Username) = Some)]
    #[schema(nullable = false, value_type = Option<ChosenUsername>)]
    username: Option<Username>,
    /// Trimmed and converted to lower case. Must be unique. Visible only to the user.
    /// Requires `current_password`.
    #[deserr(default, from(Email) = Some)]
    #[schema(nullable = false)]
    email: Option<Email>,
    /// 8 to 128 characters. Requires `current_password`. Ends all sessions and revokes all personal
    /// access tokens.
    #[deserr(default, from(ChosenPassword) = Some)]
    #[schema(nullable = false)]
    password: Option<ChosenPassword>,
    /// The current password. Required for a new e-mail address or password.
    #[deserr(default, from(Password) = Some)]
    #[schema(nullable = false)]
    current_password: Option<Password>,
}

/// The changed account.
#[derive(Serialize, ToSchema)]
struct ChangedUser {
    #[serde(flatten)]
    user: User,
    /// The tokens of a new session. Only after a change of the password by a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tokens: Option<TokenResponse>,
}

/// The confirmation of an account deletion.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
struct AccountDeletion {
    current_password: Password,
}

/// Read the caller's account
#[utoipa::path(
    get, path = "/users/me", tag = "users", operation_id = "getMe",
    responses((status = 200, description = "The caller's account", body = User, headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn me(caller: Identity, state: Data<State>) -> Result<HttpResponse, Problem> {
    let user = account::me(&state.db, &caller).await?;
    let usage = state.quotas.usage(&state.db, caller.id).await?;
    Ok(HttpResponse::Ok().json(User::with_usage(user, usage, state.quotas.settings())))
}

/// Change the caller's account
///
/// The rules of the new password are those of `POST /users`: 8 to 128 characters, and not one of the most
/// common passwords, the username, the e-mail address, or the part of it before the `@` (422, `common`).
/// A new password ends all sessions and revokes all personal access tokens. If the access token of a
/// session made the request, the response has the tokens of a new session with the same scopes.
#[utoipa::path(
    patch, path = "/users/me", tag = "users", operation_id = "patchMe",
    request_body(content = AccountUpdate, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The changed account", body = ChangedUser, headers(("Cache-Control" = String, description = "`no-store`"))),
    ),
)]
async fn change(
    caller: Identity,
    Body(patch): Body<AccountUpdate>,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let State {
        db,
        passwords,
        authenticator,
        ..
    } = state.get_ref();
    // Not the name of `caller`, which may be some seconds old.
    let user = account::me(db, &caller).await?;
    let new_name = patch.username.filter(|name| *name != user.username);
    let new_name = new_name.map(ChosenUsername::new).transpose();
    let new_name = new_name.map_err(|invalid| Problem::invalid_field("username", &invalid))?;
    if new_name.is_some() {
        state.limits.count_rename(&request, caller.id)?;
    }
    let mut verified = None;
    if patch.email.is_some() || patch.password.is_some() {
        let Some(current) = patch.current_password else {
            let missing = FieldError::new(
                "current_password",
                "required",
                "is required for a new e-mail address or password",
            );
            return Err(Problem::invalid(vec![missing]));
        };
        state.limits.count_password(&request, caller.id)?;
        let hash = account::verify_password(passwords, &user, current).await?;
        verified = Some(hash);
    }
    if let Some(password) = &patch.password {
        let email = patch.email.as_ref().unwrap_or(&user.email);
        let username = new_name.as_ref().map_or(&user.username, AsRef::as_ref);
        password
            .check_names(Some(email), Some(username))
            .map_err(|invalid| Problem::invalid_field("password", &invalid))?;
    }
    let changes = Changes {
        username: new_name.map(Into::into),
        email: patch.email,
        password: patch.password,
    };
    let (user, session) = account::change(
        db,
        passwords,
        authenticator,
        &caller,
        changes,
        verified.as_ref(),
        &new_session(&state, &request, Some(caller.scopes)),
    )
    .await?;
    let tokens = session.map(|session| TokenResponse::of(&state, &session));
    let tokens = tokens.transpose()?;
    let mut response = HttpResponse::Ok();
    if tokens.is_some() {
        response.extensions_mut().insert(BodyRequired);
    }
    Ok(response.json(ChangedUser {
        user: User::own(user),
        tokens,
    }))
}

/// Delete the caller's account
///
/// The account and its posts disappear at once. Ends all sessions and revokes all personal access
/// tokens. The service then removes the posts and votes step by step and updates the vote counts.
/// The username and the e-mail address are free again after that.
#[utoipa::path(
    delete, path = "/users/me", tag = "users", operation_id = "deleteMe",
    request_body = AccountDeletion,
    responses((status = 204, description = "The account is deleted")),
)]
async fn delete(
    caller: Identity,
    Body(deletion): Body<AccountDeletion>,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let State {
        db,
        passwords,
        authenticator,
        removals,
        ..
    } = state.get_ref();
    state.limits.count_password(&request, caller.id)?;
    let user = account::me(db, &caller).await?;
    let verified = account::verify_password(passwords, &user, deletion.current_password).await?;
    account::delete(db, authenticator, removals, &caller, &verified).await?;
    Ok(HttpResponse::NoContent().finish())
}
