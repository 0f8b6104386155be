//! `/users/me/export`

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{CONTENT_DISPOSITION, ContentType},
    },
    web::{Bytes, Data},
};
use entity::{
    users::Model as UserRow,
    values::{Scope, SessionId},
    votes::Model as Vote,
};
use futures_util::stream;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    moderation::AuditEntry, personal_tokens::PersonalToken, posts::ExportedPost, sessions::Session,
    webhooks::Webhook,
};
use crate::{
    error::Error,
    http::{Problem, Route, State, route::route},
    services::{auth::Identity, export::Part},
};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(export).needs(Scope::Account)]
}

/// All data that the service stores about a user.
#[derive(ToSchema)]
#[expect(dead_code, reason = "declares what `Document` writes")]
struct Export<'a> {
    user: OwnUser,
    posts: Vec<ExportedPost<'a>>,
    votes: Vec<OwnVote>,
    sessions: Vec<Session>,
    tokens: Vec<PersonalToken>,
    webhooks: Vec<Webhook>,
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

impl From<UserRow> for OwnUser {
    fn from(user: UserRow) -> Self {
        Self {
            role: user.role.to_string(),
            id: user.id.get(),
            username: user.username.into(),
            email: user.email.into(),
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
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
///
/// The body is sent while it is read, without `Content-Length`. If an error occurs meanwhile, the
/// connection closes before the end of the body. A user can have one export at a time on each server.
#[utoipa::path(
    get, path = "/users/me/export", tag = "users", operation_id = "exportMe",
    responses((status = 200, description = "The export", body = Export, headers(("Content-Disposition" = String, description = "`attachment`, with a file name"), ("Cache-Control" = String, description = "`no-store`")))),
)]
async fn export(
    caller: Identity,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"acclaim.json\""))
        .content_type(ContentType::json());
    if request.method() == Method::HEAD {
        return Ok(response.streaming(stream::empty::<Result<Bytes, Error>>()));
    }
    let mut export = state.exports.start(caller.id)?;
    let first = export.next().await?;
    let document = Document {
        session: caller.session_id(),
        array: None,
        is_empty: true,
    };
    let parts = (Some(first), export, document);
    Ok(
        response.streaming(stream::try_unfold(Some(parts), |parts| async move {
            let Some((first, mut export, mut document)) = parts else {
                return Ok(None);
            };
            let part = match first {
                Some(part) => part,
                None => export.next().await?,
            };
            let is_last = matches!(part, Part::End);
            let bytes = document.write(part).map_err(Error::internal)?;
            let rest = (None, export, document);
            Ok::<_, Error>(Some((bytes, (!is_last).then_some(rest))))
        })),
    )
}

/// Writes an [`Export`] as JSON, part by part.
struct Document {
    /// The session of the request.
    session: Option<SessionId>,
    /// The array that is open.
    array: Option<&'static str>,
    /// True if the open array has no items yet.
    is_empty: bool,
}

impl Document {
    fn write(&mut self, part: Part) -> serde_json::Result<Bytes> {
        let mut json = Vec::new();
        match part {
            Part::User(user) => {
                json.extend(b"{\"user\":");
                serde_json::to_writer(&mut json, &OwnUser::from(*user))?;
            }
            Part::Posts(rows) => {
                let rows = rows.iter().map(ExportedPost::from);
                self.append(&mut json, "posts", rows)?;
            }
            Part::Votes(rows) => {
                let rows = rows.into_iter().map(OwnVote::from);
                self.append(&mut json, "votes", rows)?;
            }
            Part::Sessions(rows) => {
                let current = self.session;
                let rows = rows.into_iter().map(|row| Session::of(row, current));
                self.append(&mut json, "sessions", rows)?;
            }
            Part::Tokens(rows) => {
                let rows = rows.into_iter().map(PersonalToken::from);
                self.append(&mut json, "tokens", rows)?;
            }
            Part::Webhooks(rows) => {
                let rows = rows.into_iter().map(Webhook::from);
                self.append(&mut json, "webhooks", rows)?;
            }
            Part::AuditLog(rows) => {
                let rows = rows.into_iter().map(AuditEntry::from);
                self.append(&mut json, "audit_log", rows)?;
            }
            Part::End => json.extend(b"]}"),
        }
        Ok(json.into())
    }

    /// Appends `items` to the array `name`. Opens it if another one is open, and closes that.
    fn append<T: Serialize>(
        &mut self,
        json: &mut Vec<u8>,
        name: &'static str,
        items: impl Iterator<Item = T>,
    ) -> serde_json::Result<()> {
        if self.array != Some(name) {
            if self.array.is_some() {
                json.push(b']');
            }
            json.extend(format!(",\"{name}\":[").bytes());
            self.array = Some(name);
            self.is_empty = true;
        }
        for item in items {
            if !self.is_empty {
                json.push(b',');
            }
            self.is_empty = false;
            serde_json::to_writer(&mut *json, &item)?;
        }
        Ok(())
    }
}
