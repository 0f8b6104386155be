//! The request and response types of `/users/me/import`.

use deserr::Deserr;
use entity::{
    posts::ActiveModel,
    values::{Content, ExternalId, Invalid, Metadata, PostId, PostVersion, Tags, Title, UserId},
};
use sea_orm::ActiveValue::Set;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    http::{
        input::{BodyErrors, date_time},
        problem::ProblemDetails,
    },
    services::import::ExportedPost,
};

/// An export, as `GET /users/me/export` returns it: `user` is the first member, and `posts` come before
/// `votes`. Other members are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "declares what is read in parts")]
#[schema(as = ImportRequest)]
pub(super) struct ImportedExport {
    user: ImportedUser,
    posts: Vec<ImportedPost>,
    votes: Vec<ImportedVote>,
}

/// The exported account. With the original ids of the posts, it identifies what was imported before.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
pub(super) struct ImportedUser {
    pub id: UserId,
    #[deserr(try_from(&String) = past -> Invalid)]
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    pub created_at: OffsetDateTime,
}

/// A post of an export.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
pub(super) struct ImportedPost {
    /// The id in the other service.
    pub id: PostId,
    title: Title,
    content: Content,
    published: bool,
    #[deserr(default)]
    #[schema(required = false)]
    tags: Tags,
    #[deserr(default)]
    external_id: Option<ExternalId>,
    #[deserr(default)]
    metadata: Option<Metadata>,
    /// Neither before 1970 nor in the future.
    #[deserr(try_from(&String) = past -> Invalid)]
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    created_at: OffsetDateTime,
    /// Neither before `created_at` nor in the future.
    #[deserr(try_from(&String) = past -> Invalid)]
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    updated_at: OffsetDateTime,
    #[deserr(default)]
    #[schema(required = false)]
    version: PostVersion,
}

impl ImportedPost {
    /// The columns of the post. The clock of its service can have been set back before its last change, so
    /// the time of that need not follow the time of its creation.
    pub fn into_row(self) -> ExportedPost {
        let row = ActiveModel {
            title: Set(self.title),
            content: Set(self.content),
            published: Set(self.published),
            tags: Set(self.tags),
            external_id: Set(self.external_id),
            metadata: Set(self.metadata),
            created_at: Set(self.created_at),
            updated_at: Set(self.updated_at),
            version: Set(self.version.get().cast_signed()),
            ..Default::default()
        };
        (self.id, row)
    }
}

/// A vote of an export.
#[derive(Deserr, ToSchema)]
#[deserr(error = BodyErrors)]
pub(super) struct ImportedVote {
    /// The id of the post in the other service.
    pub post_id: PostId,
    /// Neither before 1970 nor in the future.
    #[deserr(try_from(&String) = past -> Invalid)]
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T06:00:42.915716Z")]
    pub created_at: OffsetDateTime,
}

/// Parses a time that is neither before 1970 nor in the future, in whole microseconds as the databases
/// store it.
fn past(text: &str) -> Result<OffsetDateTime, Invalid> {
    let time = date_time(text)?.filter(|time| *time >= OffsetDateTime::UNIX_EPOCH);
    let time = time.filter(|time| *time <= OffsetDateTime::now_utc());
    let time = time.and_then(|time| time.replace_nanosecond(time.microsecond() * 1_000).ok());
    time.ok_or_else(|| Invalid::new("range", "must be neither before 1970 nor in the future"))
}

/// What an import did.
#[derive(Serialize, ToSchema)]
pub(super) struct ImportResult<'a> {
    pub posts: ImportedPosts,
    pub votes: ImportedVotes,
    /// The first 100 rows that failed.
    #[schema(max_items = 100)]
    pub errors: Vec<FailedRow<'a>>,
}

/// What an import did with posts.
#[derive(Clone, Copy, Default, Serialize, ToSchema)]
pub(super) struct ImportedPosts {
    #[schema(example = 1)]
    pub created: u64,
    /// Posts that were imported before, and stay as they are.
    #[schema(example = 0)]
    pub unchanged: u64,
    #[schema(example = 0)]
    pub failed: u64,
}

/// What an import did with votes.
#[derive(Clone, Copy, Default, Serialize, ToSchema)]
pub(super) struct ImportedVotes {
    #[schema(example = 1)]
    pub created: u64,
    /// Votes that exist already.
    #[schema(example = 0)]
    pub unchanged: u64,
    /// Votes for posts that were not imported, such as those of other users.
    #[schema(example = 0)]
    pub skipped: u64,
    #[schema(example = 0)]
    pub failed: u64,
}

/// A row of an export that was not imported.
#[derive(Serialize, ToSchema)]
pub(super) struct FailedRow<'a> {
    /// The row: `posts[3]` is the fourth post.
    #[schema(example = "posts[3]")]
    pub row: &'a str,
    pub problem: ProblemDetails<'a>,
}
