//! `/posts/bulk`

mod types;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use entity::{
    posts::ActiveModel,
    values::{ExternalId, PostId, Scope},
};
use sea_orm::IntoActiveModel;

use self::types::{
    BulkCreate, BulkDelete, BulkResult, BulkRow, BulkUpdate, OnConflict, PostKey, RowOutcome,
};
use super::{query::DryRun, types::PostCreate};
use crate::{
    error::{Error, FieldError},
    http::{
        Body, MAX_BODY_BYTES, Problem, Query, RequestRecord, Route, State,
        idempotency::{self, Keyed},
        problem::types::{EXTERNAL_ID_TAKEN, NOT_FOUND, NOT_OWNER, QUOTA_EXCEEDED},
        route::route,
    },
    services::{
        auth::Identity,
        posts::bulk::{self, Done, Key, Mode, Outcome},
    },
};

/// The posts of every accepted body can be created at once.
const _: () = assert!(MAX_BODY_BYTES <= bulk::MAX_TEXT_BYTES);

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(create)
            .needs(Scope::PostsCreate)
            .idempotent()
            .fails_with(&[EXTERNAL_ID_TAKEN, QUOTA_EXCEEDED]),
        route!(patch).needs(Scope::PostsUpdate).fails_with(&[
            NOT_FOUND,
            NOT_OWNER,
            EXTERNAL_ID_TAKEN,
            QUOTA_EXCEEDED,
        ]),
        route!(delete)
            .needs(Scope::PostsDelete)
            .fails_with(&[NOT_FOUND, NOT_OWNER]),
    ]
}

/// Create many posts
///
/// In one transaction. Each row counts towards the limit of writes. Rows without `external_id` are always new. A
/// row with the `external_id` of an earlier row fails. If the same rows with an `external_id` are sent again with
/// `on_conflict: "update"`, they are `unchanged`. If the old and new texts of the posts that change come to more
/// than 1 MiB, the response is 422.
#[utoipa::path(
    post, path = "/posts/bulk", tag = "posts", operation_id = "createPosts",
    params(DryRun),
    request_body = BulkCreate,
    responses(
        (status = 200, description = "No post was created", body = BulkResult),
        (status = 201, description = "At least one post was created", body = BulkResult),
    ),
)]
async fn create(
    caller: Identity,
    request: HttpRequest,
    Query(query): Query<DryRun>,
    Body(body): Body<BulkCreate>,
    Keyed(keyed): Keyed,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let mode = mode(body.atomic, &query);
    state
        .limits
        .count_rows(&request, caller.id, body.posts.0.len())?;
    let rows = body
        .posts
        .0
        .into_iter()
        .map(|row| row.map_err(Problem::invalid));
    let (valid, mut rows) = split(rows.collect(), mode)?;
    let posts: Vec<ActiveModel> = valid
        .into_iter()
        .map(PostCreate::into_active_model)
        .collect();
    let on_conflict = match body.on_conflict {
        OnConflict::Error => bulk::OnConflict::Error,
        OnConflict::Ignore => bulk::OnConflict::Ignore,
        OnConflict::Update => bulk::OnConflict::Update,
    };
    let State { db, quotas, .. } = state.get_ref();
    let instance = instance(&request);
    let keyed = keyed.map(|keyed| {
        let (rows, instance) = (rows.clone(), instance.clone());
        keyed.answered_by(move |written: &bulk::Rows| {
            let mut rows = rows.clone();
            merge(&mut rows, written.clone());
            idempotency::stored(answer(&instance, &rows, mode))
        })
    });
    let written = bulk::create(
        db,
        quotas,
        &caller,
        posts,
        on_conflict,
        mode,
        keyed.as_ref(),
    );
    match written.await? {
        (_, Some(answer)) => idempotency::response(answer),
        (written, None) => {
            merge(&mut rows, written);
            answer(&instance, &rows, mode)
        }
    }
}

/// Change many posts
///
/// In one transaction. Each row counts towards the limit of writes. Each row has the members of `patchPost`, and
/// identifies its post by `id`, or without it by `external_id`. If the old and new texts of the posts that change
/// come to more than 1 MiB, the response is 422.
#[utoipa::path(
    patch, path = "/posts/bulk", tag = "posts", operation_id = "patchPosts",
    params(DryRun),
    request_body = BulkUpdate,
    responses((status = 200, description = "The outcome of each row", body = BulkResult)),
)]
async fn patch(
    caller: Identity,
    request: HttpRequest,
    Query(query): Query<DryRun>,
    Body(body): Body<BulkUpdate>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let mode = mode(body.atomic, &query);
    state
        .limits
        .count_rows(&request, caller.id, body.posts.0.len())?;
    let rows = body.posts.0.into_iter().map(|row| {
        let mut row = row.map_err(Problem::invalid)?;
        let external_id = match row.id {
            Some(_) => None,
            // It identifies the post, and does not change.
            None => row.external_id.take().flatten(),
        };
        let key = key(row.id.take(), external_id)?;
        Ok((key, row.into_active_model()))
    });
    let (valid, mut rows) = split(rows.collect(), mode)?;
    let (keys, changes): (Vec<Key>, Vec<ActiveModel>) = valid.into_iter().unzip();
    let State { db, quotas, .. } = state.get_ref();
    let written = bulk::change(db, quotas, caller.id, &keys, &changes, mode).await?;
    merge(&mut rows, written);
    answer(&instance(&request), &rows, mode)
}

/// Delete many posts and their votes
///
/// In one transaction. Each row counts towards the limit of writes. Moderators cannot delete posts of others this
/// way. If the texts of the posts come to more than 1 MiB, the response is 422.
#[utoipa::path(
    delete, path = "/posts/bulk", tag = "posts", operation_id = "deletePosts",
    params(DryRun),
    request_body = BulkDelete,
    responses((status = 200, description = "The outcome of each row", body = BulkResult)),
)]
async fn delete(
    caller: Identity,
    request: HttpRequest,
    Query(query): Query<DryRun>,
    Body(body): Body<BulkDelete>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let mode = mode(body.atomic, &query);
    state
        .limits
        .count_rows(&request, caller.id, body.posts.0.len())?;
    let rows = body.posts.0.into_iter().map(|row| {
        let PostKey { id, external_id } = row.map_err(Problem::invalid)?;
        key(id, external_id)
    });
    let (keys, mut rows) = split(rows.collect(), mode)?;
    let written = bulk::delete(&state.db, caller.id, &keys, mode).await?;
    merge(&mut rows, written);
    answer(&instance(&request), &rows, mode)
}

fn mode(atomic: bool, query: &DryRun) -> Mode {
    let dry_run = query.dry_run.unwrap_or_default();
    Mode { atomic, dry_run }
}

fn key(id: Option<PostId>, external_id: Option<ExternalId>) -> Result<Key, Problem> {
    let invalid = |code, message| Err(Problem::invalid(vec![FieldError::new("id", code, message)]));
    match (id, external_id) {
        (Some(id), None) => Ok(Key::Id(id)),
        (None, Some(external_id)) => Ok(Key::ExternalId(external_id)),
        (None, None) => invalid("required", "is required, or `external_id`"),
        (Some(_), Some(_)) => invalid("mismatch", "must not be sent together with `external_id`"),
    }
}

/// The rows of a request: the outcome of each, or `None` if it is not known yet.
type Outcomes = Vec<Option<Result<Done, Problem>>>;

/// The valid rows, and the outcomes of the others.
fn split<T>(rows: Vec<Result<T, Problem>>, mode: Mode) -> Result<(Vec<T>, Outcomes), Problem> {
    let mut valid = Vec::with_capacity(rows.len());
    let outcomes = rows.into_iter().map(|row| match row {
        Ok(row) => {
            valid.push(row);
            None
        }
        Err(problem) => Some(Err(problem)),
    });
    let outcomes: Outcomes = outcomes.collect();
    if mode.atomic
        && let Some(problem) = problem_of(&outcomes)
    {
        return Err(problem);
    }
    Ok((valid, outcomes))
}

/// The problem of the rows that failed.
fn problem_of(rows: &Outcomes) -> Option<Problem> {
    let failed = rows
        .iter()
        .enumerate()
        .filter_map(|(index, row)| match row {
            Some(Err(problem)) => Some((index, problem.clone())),
            _ => None,
        });
    Problem::of_rows(failed.collect())
}

/// Sets the outcomes of the valid rows.
fn merge(rows: &mut Outcomes, written: bulk::Rows) {
    let unknown = rows.iter_mut().filter(|row| row.is_none());
    for (row, written) in unknown.zip(written) {
        *row = match written {
            // Another row has the problem.
            Err(Error::RowNotWritten) => None,
            written => Some(written.map_err(Problem::from)),
        };
    }
}

/// The request id, for the problems of rows.
fn instance(request: &HttpRequest) -> String {
    let record = RequestRecord::of(request);
    record.map(|record| record.id.0.clone()).unwrap_or_default()
}

fn answer(instance: &str, rows: &Outcomes, mode: Mode) -> Result<HttpResponse, Problem> {
    if mode.atomic
        && let Some(problem) = problem_of(rows)
    {
        return Err(problem);
    }
    let mut result = BulkResult {
        dry_run: mode.dry_run,
        ..BulkResult::default()
    };
    for (index, row) in rows.iter().enumerate() {
        let (outcome, count) = match row {
            Some(Ok(done)) => match done.outcome {
                Outcome::Created => (RowOutcome::Created, &mut result.created),
                Outcome::Updated => (RowOutcome::Updated, &mut result.updated),
                Outcome::Unchanged => (RowOutcome::Unchanged, &mut result.unchanged),
                Outcome::Ignored => (RowOutcome::Ignored, &mut result.ignored),
                Outcome::Deleted => (RowOutcome::Deleted, &mut result.deleted),
            },
            _ => (RowOutcome::Failed, &mut result.failed),
        };
        *count += 1;
        let done = row.as_ref().and_then(|row| row.as_ref().ok());
        let problem = row.as_ref().and_then(|row| row.as_ref().err());
        result.posts.push(BulkRow {
            index,
            outcome,
            id: done.and_then(|done| done.id).map(PostId::get),
            version: done.map(|done| done.version),
            problem: problem.map(|problem| problem.details(instance)),
        });
    }
    let status = if result.created > 0 && !mode.dry_run {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(HttpResponse::build(status).json(result))
}
