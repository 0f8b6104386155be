//! Moderation by admins: `/users`, `/users/{id}/suspension` and `/audit-log`.

use actix_web::{
    HttpResponse,
    web::{Data, Json},
};
use entity::{
    audit_log::Model as AuditLogRow,
    users::{self, Role},
    values::UserId,
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::types::{ModerationReason, PageParameters};
use crate::{
    http::{
        Body, Id, Problem, Query, Route, State,
        problem::types::{NOT_FOUND, OWN_ACCOUNT},
        route::route,
    },
    services::{
        auth::Identity,
        moderation::{self, audit_log as audit_log_service},
    },
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(list).needs_role(Role::Admin),
        route!(suspend)
            .needs_role(Role::Admin)
            .fails_with(&[NOT_FOUND, OWN_ACCOUNT]),
        route!(restore)
            .needs_role(Role::Admin)
            .fails_with(&[NOT_FOUND, OWN_ACCOUNT]),
        route!(audit_log).needs_role(Role::Admin),
    ]
}

/// A user, as shown to admins. It has no e-mail address, which is visible only to the user.
#[derive(Serialize, ToSchema)]
struct Account {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "ada")]
    username: String,
    #[schema(example = "user")]
    role: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    /// The time of the suspension, or null if the user is not suspended.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(format = DateTime, example = json!(null))]
    suspended_at: Option<OffsetDateTime>,
}

impl From<users::Model> for Account {
    fn from(user: users::Model) -> Self {
        Self {
            id: user.id.get(),
            username: user.username.into(),
            role: user.role.to_string(),
            created_at: user.created_at,
            suspended_at: user.suspended_at,
        }
    }
}

/// A moderation action.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditEntry {
    #[schema(example = 1)]
    id: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    at: OffsetDateTime,
    /// The id of the moderator or admin. Null for the command line.
    #[schema(example = 1)]
    actor_id: Option<i64>,
    /// The username of the moderator or admin. `operator` for the command line.
    #[schema(example = "ada")]
    actor: String,
    /// `delete_post`, `suspend_user`, `restore_user`, `change_role` or `create_token`.
    #[schema(example = "suspend_user")]
    action: String,
    /// The id of the post or user.
    #[schema(example = 2)]
    subject_id: i64,
    /// The title of the post, or the username.
    #[schema(example = "grace")]
    subject: String,
    /// The reason. May be empty. For a new token its name and scopes.
    #[schema(example = "Advertising, for the third time")]
    reason: String,
}

impl From<AuditLogRow> for AuditEntry {
    fn from(entry: AuditLogRow) -> Self {
        Self {
            id: entry.id.get(),
            at: entry.at,
            actor_id: entry.actor_id.map(UserId::get),
            actor: entry.actor,
            action: entry.action.to_string(),
            subject_id: entry.subject_id,
            subject: entry.subject,
            reason: entry.reason.into(),
        }
    }
}

/// List users
///
/// In the order of their ids. For admins.
#[utoipa::path(
    get, path = "/users", tag = "moderation", operation_id = "listUsers",
    params(PageParameters),
    responses((status = 200, description = "A page of users", body = [Account], headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn list(
    Query(page): Query<PageParameters>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let users = moderation::list_users(&state.db, page.limit, page.skip).await?;
    let users: Vec<_> = users.into_iter().map(Account::from).collect();
    Ok(HttpResponse::Ok().json(users))
}

/// Suspend a user
///
/// Ends the user's sessions, disables the user's tokens and hides the user's posts. Idempotent. For
/// admins.
#[utoipa::path(
    put, path = "/users/{id}/suspension", tag = "moderation", operation_id = "suspendUser",
    params(Id<UserId>),
    request_body = ModerationReason,
    responses((status = 200, description = "The user is suspended", body = Account)),
)]
async fn suspend(
    caller: Identity,
    Id(id): Id<UserId>,
    Body(ModerationReason { reason }): Body<ModerationReason>,
    state: Data<State>,
) -> Result<Json<Account>, Problem> {
    let actor = (&caller).into();
    let user = moderation::suspend(&state.db, &state.authenticator, &actor, id, &reason).await?;
    Ok(Json(user.into()))
}

/// Restore a user
///
/// Lifts the suspension. Idempotent. For admins.
#[utoipa::path(
    delete, path = "/users/{id}/suspension", tag = "moderation", operation_id = "restoreUser",
    params(Id<UserId>, ModerationReason),
    responses((status = 200, description = "The user is not suspended", body = Account)),
)]
async fn restore(
    caller: Identity,
    Id(id): Id<UserId>,
    Query(ModerationReason { reason }): Query<ModerationReason>,
    state: Data<State>,
) -> Result<Json<Account>, Problem> {
    let actor = (&caller).into();
    let user = moderation::restore(&state.db, &actor, id, &reason).await?;
    Ok(Json(user.into()))
}

/// Read the audit log
///
/// Moderation actions, newest first. For admins.
#[utoipa::path(
    get, path = "/audit-log", tag = "moderation", operation_id = "listAuditLog",
    params(PageParameters),
    responses((status = 200, description = "A page of entries", body = [AuditEntry], headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn audit_log(
    Query(page): Query<PageParameters>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let entries = audit_log_service::list(&state.db, page.limit, page.skip).await?;
    let entries: Vec<_> = entries.into_iter().map(AuditEntry::from).collect();
    Ok(HttpResponse::Ok().json(entries))
}
