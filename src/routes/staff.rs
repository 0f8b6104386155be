//! What admins do: `/users`, `/users/{id}/suspension` and `/audit-log`.

use actix_web::{
    HttpResponse,
    http::{Method, header::CACHE_CONTROL},
    web::{self, Data, ServiceConfig},
};
use entity::{audit_log::Model as Act, users};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::{OpenApi, ToSchema};

use super::types::{Page, Reason};
use crate::{
    http::{
        Admin, Body, Id, Problem, Query, State, Then,
        route::{get, on},
    },
    services::moderation::{audit_log as audit, users as staff},
};

#[derive(OpenApi)]
#[openapi(paths(list, suspend, restore, audit_log))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/users/{id}/suspension")
                .route(on(Method::PUT, suspend))
                .route(on(Method::DELETE, restore)),
        )
        .service(get(web::resource("/audit-log"), audit_log));
}

/// A user as admins see them: an e-mail address is nobody else's business.
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
    /// Null, unless the user is suspended.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(format = DateTime, example = json!(null))]
    suspended_at: Option<OffsetDateTime>,
}

impl From<users::Model> for Account {
    fn from(user: users::Model) -> Self {
        Self {
            id: user.id,
            username: user.username,
            role: user.role.to_string(),
            created_at: user.created_at,
            suspended_at: user.suspended_at,
        }
    }
}

/// Something that was done to somebody else, or to something of theirs.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditEntry {
    #[schema(example = 1)]
    id: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    at: OffsetDateTime,
    /// The number of who did it; null for the operator's command line.
    #[schema(example = 1)]
    actor_id: Option<i64>,
    /// The name of who did it.
    #[schema(example = "ada")]
    actor: String,
    /// `delete_post`, `suspend_user`, `restore_user` or `change_role`.
    #[schema(example = "suspend_user")]
    action: String,
    /// The number of the post or user.
    #[schema(example = 2)]
    subject_id: i64,
    /// The title of the post, or the name of the user.
    #[schema(example = "grace")]
    subject: String,
    /// Why.
    #[schema(example = "Advertising, for the third time")]
    reason: String,
}

impl From<Act> for AuditEntry {
    fn from(act: Act) -> Self {
        Self {
            id: act.id,
            at: act.at,
            actor_id: act.actor_id,
            actor: act.actor,
            action: act.action.to_string(),
            subject_id: act.subject_id,
            subject: act.subject,
            reason: act.reason,
        }
    }
}

/// List users
///
/// By number. For admins.
#[utoipa::path(
    get, path = "/users", tag = "moderation", operation_id = "listUsers",
    security(("password" = []), ("token" = [])),
    params(Page),
    responses((status = 200, description = "The users", body = [Account], headers(("Cache-Control" = String, description = "`no-store`")))),
)]
pub(super) async fn list(
    asked: Then<Admin, Query<Page>>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let Then(_, Query(page)) = asked;
    let (limit, skip) = (page.limit.unsigned_abs(), page.skip.unsigned_abs());
    let users = staff::users(&state.db, limit, skip).await?;
    let users: Vec<_> = users.into_iter().map(Account::from).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(users))
}

/// Suspend a user
///
/// Sessions end, tokens stop, posts are hidden. Answers the same when it was so before. For admins.
#[utoipa::path(
    put, path = "/users/{id}/suspension", tag = "moderation", operation_id = "suspendUser",
    security(("password" = []), ("token" = [])),
    params(Id),
    request_body = Reason,
    responses(
        (status = 200, description = "The user is suspended", body = Account),
        (status = 404, description = "No such user"),
        (status = 409, description = "It would be oneself"),
    ),
)]
async fn suspend(
    Then(Admin(caller), Then(Id(id), Body(why))): Then<Admin, Then<Id, Body<Reason>>>,
    state: Data<State>,
) -> Result<web::Json<Account>, Problem> {
    let actor = (&caller).into();
    let user = staff::suspend(&state.db, &state.authenticator, &actor, id, &why.reason).await?;
    Ok(web::Json(user.into()))
}

/// Restore a user
///
/// Answers the same when there was nothing to restore. For admins.
#[utoipa::path(
    delete, path = "/users/{id}/suspension", tag = "moderation", operation_id = "restoreUser",
    security(("password" = []), ("token" = [])),
    params(Id, Reason),
    responses(
        (status = 200, description = "The user is not suspended", body = Account),
        (status = 404, description = "No such user"),
        (status = 409, description = "It would be oneself"),
    ),
)]
async fn restore(
    Then(Admin(caller), Then(Id(id), Query(why))): Then<Admin, Then<Id, Query<Reason>>>,
    state: Data<State>,
) -> Result<web::Json<Account>, Problem> {
    let actor = (&caller).into();
    let user = staff::restore(&state.db, &actor, id, &why.reason).await?;
    Ok(web::Json(user.into()))
}

/// What was done to whom, by whom, when and why
///
/// Newest first. For admins.
#[utoipa::path(
    get, path = "/audit-log", tag = "moderation", operation_id = "listAuditLog",
    security(("password" = []), ("token" = [])),
    params(Page),
    responses((status = 200, description = "The log", body = [AuditEntry], headers(("Cache-Control" = String, description = "`no-store`")))),
)]
async fn audit_log(
    asked: Then<Admin, Query<Page>>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let Then(_, Query(page)) = asked;
    let (limit, skip) = (page.limit.unsigned_abs(), page.skip.unsigned_abs());
    let acts = audit::list(&state.db, limit, skip).await?;
    let acts: Vec<_> = acts.into_iter().map(AuditEntry::from).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(acts))
}
