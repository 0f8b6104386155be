//! `/users/me/import`

mod types;

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use deserr::Deserr;
use entity::values::Invalid;
use serde_json::value::RawValue;

use self::types::{
    FailedRow, ImportResult, ImportedExport, ImportedPost, ImportedPosts, ImportedUser,
    ImportedVote, ImportedVotes,
};
use crate::{
    error::Error,
    http::{
        Body, Problem, RequestRecord, Route, State,
        input::{BodyErrors, Member, Part, StreamedBody},
        problem::types::QUOTA_EXCEEDED,
        route::route,
    },
    services::{
        auth::Identity,
        import::{ExportedPost, Import},
    },
};

/// The longest time of an import. At the lowest rate of a client, the largest export takes 45 minutes.
const TIMEOUT: Duration = Duration::from_hours(1);
/// Maximum number of rows that failed and are named in the response.
const MAX_FAILED: usize = 100;

const USER: Member = Member::Value("user");
const POSTS: Member = Member::List("posts");
const VOTES: Member = Member::List("votes");

pub(super) fn routes() -> Vec<Route> {
    let route = route!(import)
        .needs_full_session()
        .takes_up_to(TIMEOUT)
        .fails_with(&[QUOTA_EXCEEDED]);
    vec![route]
}

/// Import the posts and votes of an export
///
/// The body is an export of up to 256 MiB from another service, as `GET /users/me/export` returns it. Posts keep
/// their times, and get new ids. Votes for posts of others are skipped. The account itself does not change.
///
/// The posts are created while the body is read, in many transactions. Safe to repeat without `Idempotency-Key`:
/// posts and votes that were imported before are `unchanged`. After an interruption or an error, send the export
/// again; what was imported stays. A row that is invalid, or has an `external_id` of another post, fails by itself.
/// A user can have one import at a time on each server.
#[utoipa::path(
    post, path = "/users/me/import", tag = "users", operation_id = "importMe",
    request_body = ImportedExport,
    responses((status = 200, description = "The numbers of rows", body = ImportResult)),
)]
async fn import(
    caller: Identity,
    request: HttpRequest,
    body: StreamedBody,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let _running = state.imports.begin(caller.id)?;
    let mut parts = body.parts(&[USER, POSTS, VOTES]);
    let mut importer = Importer {
        caller,
        state: &state,
        import: None,
        has_votes: false,
        done: Done::default(),
    };
    loop {
        let part = match parts.next().await {
            Ok(Some(part)) => importer.add(part).await,
            Ok(None) => break,
            Err(problem) => Err(problem),
        };
        part.map_err(|problem| importer.done.explain(problem))?;
    }
    importer.import()?;
    let record = RequestRecord::of(&request);
    let instance = record.as_ref().map_or("", |record| &*record.id.0);
    Ok(HttpResponse::Ok().json(importer.done.result(instance)))
}

/// Imports the parts of one export.
struct Importer<'a> {
    caller: Identity,
    state: &'a State,
    /// `None` before the member `user`.
    import: Option<Import<'a>>,
    has_votes: bool,
    done: Done,
}

impl Importer<'_> {
    async fn add(&mut self, part: Part) -> Result<(), Problem> {
        match part.member {
            USER => {
                for row in &part.rows {
                    self.begin(read("user", row)?).await?;
                }
                Ok(())
            }
            POSTS => self.add_posts(&part).await,
            _ => self.add_votes(&part).await,
        }
    }

    async fn begin(&mut self, user: ImportedUser) -> Result<(), Problem> {
        let State { db, quotas, .. } = self.state;
        let session = self.caller.session_id().ok_or(Error::InvalidToken)?;
        let owner = (self.caller.id, session);
        let import = Import::of(db, quotas, owner, user.id, user.created_at);
        self.import = Some(import.await?);
        Ok(())
    }

    fn import(&self) -> Result<&Import<'_>, Problem> {
        self.import.as_ref().ok_or_else(|| {
            let missing = Invalid::new("required", "must be the first member of an export");
            Problem::invalid_field("user", &missing)
        })
    }

    async fn add_posts(&mut self, part: &Part) -> Result<(), Problem> {
        if self.has_votes {
            let invalid = Invalid::new("mismatch", "must come before `votes`");
            return Err(Problem::invalid_field("posts", &invalid));
        }
        let (mut indices, mut rows) = (Vec::new(), Vec::<ExportedPost>::new());
        for (index, json) in (part.index..).zip(&part.rows) {
            match read::<ImportedPost>("", json).map(ImportedPost::into_row) {
                Ok(row) => {
                    indices.push(index);
                    rows.push(row);
                }
                Err(problem) => self.done.fail_post(index, problem),
            }
        }
        let outcomes = self.import()?.posts(rows).await?;
        for (index, outcome) in indices.into_iter().zip(outcomes) {
            match outcome {
                Ok(true) => self.done.posts.created += 1,
                Ok(false) => self.done.posts.unchanged += 1,
                Err(error) => self.done.fail_post(index, error.into()),
            }
        }
        Ok(())
    }

    async fn add_votes(&mut self, part: &Part) -> Result<(), Problem> {
        self.has_votes = true;
        let mut rows = Vec::new();
        for (index, json) in (part.index..).zip(&part.rows) {
            match read::<ImportedVote>("", json) {
                Ok(vote) => rows.push((vote.post_id, vote.created_at)),
                Err(problem) => {
                    self.done.votes.failed += 1;
                    self.done.name(format!("votes[{index}]"), problem);
                }
            }
        }
        let written = self.import()?.votes(&rows).await?;
        let votes = &mut self.done.votes;
        votes.created += written.created;
        votes.unchanged += written.unchanged;
        votes.skipped += written.skipped;
        Ok(())
    }
}

/// Reads a row, or the member `field`.
fn read<T: Deserr<BodyErrors>>(field: &str, json: &RawValue) -> Result<T, Problem> {
    if !json.get().starts_with('{') {
        let invalid = Invalid::new("type", "must be a JSON object");
        return Err(Problem::invalid_field(field, &invalid));
    }
    Body::parse_object(json.get().as_bytes())
}

/// What was imported so far.
#[derive(Default)]
struct Done {
    posts: ImportedPosts,
    votes: ImportedVotes,
    /// The first rows that failed.
    failed: Vec<(String, Problem)>,
}

impl Done {
    fn fail_post(&mut self, index: usize, problem: Problem) {
        self.posts.failed += 1;
        self.name(format!("posts[{index}]"), problem);
    }

    fn name(&mut self, row: String, problem: Problem) {
        if self.failed.len() < MAX_FAILED {
            self.failed.push((row, problem));
        }
    }

    /// Adds to the problem that ends an import what was imported before.
    fn explain(&self, problem: Problem) -> Problem {
        let created = self.posts.created;
        match created {
            0 => problem,
            _ => problem.adding(&format!(
                "posts imported so far: {created}; send the export again to continue"
            )),
        }
    }

    fn result<'a>(&'a self, instance: &'a str) -> ImportResult<'a> {
        let errors = self.failed.iter().map(|(row, problem)| FailedRow {
            row,
            problem: problem.details(instance),
        });
        ImportResult {
            posts: self.posts,
            votes: self.votes,
            errors: errors.collect(),
        }
    }
}
