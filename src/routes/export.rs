//! `/users/me/export`

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION},
    web::Data,
};
use entity::{values::Scope, votes::Model as Vote};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    moderation::AuditEntry, personal_tokens::PersonalToken, posts::ExportedPost, sessions::Session,
};
use crate::{
    http::{Problem, Route, State, route::route},
    services::{account, auth::Identity},
};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(export).needs(Scope::Account)]
}

/// All data that the service stores about a user.
#[derive(Serialize, ToSchema)]
struct Export<'a> {
    user: OwnUser,
    posts: Vec<ExportedPost<'a>>,
    votes: Vec<OwnVote>,
    sessions: Vec<Session>,
    tokens: Vec<PersonalToken>,
    /// The moderation actions by or against the user.
    audit_log: Vec<AuditEntry>,
}

/// The user's account.
#[derive(Serialize, ToSchema)]
struct OwnUser {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "ada")]
    username: String,
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(example = "user")]
    role: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    updated_at: OffsetDateTime,
}

/// A vote by the user.
#[derive(Serialize, ToSchema)]
struct OwnVote {
    #[schema(example = 1)]
    post_id: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
}

impl From<Vote> for OwnVote {
    fn from(vote: Vote) -> Self {
        Self {
            post_id: vote.post_id.get(),
            created_at: vote.created_at,
        }
    }
}

/// Export all data that the service stores about the caller, as one JSON file
#[utoipa::path(
    get, path = "/users/me/export", tag = "users", operation_id = "exportMe",
    responses((status = 200, description = "The export", body = Export, headers(("Content-Disposition" = String, description = "`attachment`, with a file name"), ("Cache-Control" = String, description = "`no-store`")))),
)]
async fn export(caller: Identity, state: Data<State>) -> Result<HttpResponse, Problem> {
    let data = account::export(&state.db, caller.id).await?;
    let current = caller.session_id();
    let sessions = data.sessions.into_iter();
    let export = Export {
        user: OwnUser {
            role: data.user.role.to_string(),
            id: data.user.id.get(),
            username: data.user.username.into(),
            email: data.user.email.into(),
            created_at: data.user.created_at,
            updated_at: data.user.updated_at,
        },
        posts: data.posts.iter().map(ExportedPost::from).collect(),
        votes: data.votes.into_iter().map(OwnVote::from).collect(),
        sessions: sessions
            .map(|session| Session::of(session, current))
            .collect(),
        tokens: data.tokens.into_iter().map(PersonalToken::from).collect(),
        audit_log: data.audit_log.into_iter().map(AuditEntry::from).collect(),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"acclaim.json\""))
        .json(export))
}
