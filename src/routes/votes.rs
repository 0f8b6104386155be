//! `/vote` and `/posts/{id}/vote`

use actix_web::{
    HttpResponse,
    http::Method,
    web::{self, Data, Json, ServiceConfig},
};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use validator::Validate;

use crate::{
    error::Error,
    http::{Body, Caller, Id, Problem, Request, State, Then, route::on},
    services::{auth::VOTES_WRITE, votes},
};

#[derive(OpenApi)]
#[openapi(paths(vote, put_vote, delete_vote))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(web::resource("/vote").route(on(Method::POST, vote)))
        .service(
            web::resource("/posts/{id}/vote")
                .route(on(Method::PUT, put_vote))
                .route(on(Method::DELETE, delete_vote)),
        );
}

/// A vote to add or to take back.
#[derive(Deserialize, Validate, ToSchema)]
struct Vote {
    #[serde(default = "one")]
    #[validate(range(min = 1))]
    #[schema(
        required,
        minimum = 1,
        maximum = 9_223_372_036_854_775_807_i64,
        example = 1
    )]
    post_id: i64,
    /// 1 adds the vote, 0 takes it back. `vote_dir` is read too.
    #[serde(default)]
    #[validate(range(
        min = 0,
        max = 1,
        code = "range",
        message = "must be 1 (add) or 0 (take back)"
    ))]
    #[schema(required, minimum = 0, maximum = 1, example = 1)]
    dir: i64,
}

/// What stands for a missing number: none that is refused.
const fn one() -> i64 {
    1
}

impl Request for Vote {
    const REQUIRED: &'static [&'static str] = &["post_id", "dir"];
    const ALIASES: &'static [(&'static str, &'static str)] = &[("vote_dir", "dir")];
}

/// What a vote did.
#[derive(Serialize, ToSchema)]
struct Voted {
    #[schema(example = "vote added")]
    message: &'static str,
    #[schema(example = 1)]
    post_id: i64,
    /// How many users voted for the post now.
    #[schema(example = 1)]
    votes: i64,
}

/// How a post stands with the caller.
#[derive(Serialize, ToSchema)]
struct Standing {
    #[schema(example = 1)]
    post_id: i64,
    /// How many users voted for the post.
    #[schema(example = 1)]
    votes: i64,
    /// Whether the caller did.
    #[schema(example = true)]
    voted: bool,
}

/// Vote
#[utoipa::path(
    post, path = "/vote", tag = "votes", operation_id = "vote",
    security(("password" = ["votes:write"]), ("token" = [])),
    request_body = Vote,
    responses(
        (status = 201, description = "The vote was added or taken back", body = Voted),
        (status = 404, description = "No such post, or no vote to take back"),
        (status = 409, description = "Voted already"),
    ),
)]
async fn vote(
    Then(Caller(caller), Body(vote)): Then<Caller<VOTES_WRITE>, Body<Vote>>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let post_id = vote.post_id;
    let (tally, message) = if vote.dir == 1 {
        let tally = votes::add(&state.db, caller.id, post_id).await?;
        if !tally.changed {
            return Err(Error::AlreadyVoted { post_id }.into());
        }
        (tally, "vote added")
    } else {
        let tally = votes::remove(&state.db, caller.id, post_id).await?;
        if !tally.changed {
            return Err(Error::NoVote { post_id }.into());
        }
        (tally, "vote taken back")
    };
    Ok(HttpResponse::Created().json(Voted {
        message,
        post_id,
        votes: tally.votes,
    }))
}

/// Vote for a post
///
/// Answers the same when the vote is there already.
#[utoipa::path(
    put, path = "/posts/{id}/vote", tag = "votes", operation_id = "putVote",
    security(("password" = ["votes:write"]), ("token" = [])),
    params(Id),
    responses(
        (status = 200, description = "The caller's vote is there", body = Standing),
        (status = 404, description = "No such post"),
    ),
)]
async fn put_vote(
    Then(Caller(caller), Id(post_id)): Then<Caller<VOTES_WRITE>, Id>,
    state: Data<State>,
) -> Result<Json<Standing>, Problem> {
    let tally = votes::add(&state.db, caller.id, post_id).await?;
    Ok(Json(Standing {
        post_id,
        votes: tally.votes,
        voted: true,
    }))
}

/// Take a vote back
///
/// Answers the same when there was none.
#[utoipa::path(
    delete, path = "/posts/{id}/vote", tag = "votes", operation_id = "deleteVote",
    security(("password" = ["votes:write"]), ("token" = [])),
    params(Id),
    responses(
        (status = 200, description = "The caller has no vote there", body = Standing),
        (status = 404, description = "No such post"),
    ),
)]
async fn delete_vote(
    Then(Caller(caller), Id(post_id)): Then<Caller<VOTES_WRITE>, Id>,
    state: Data<State>,
) -> Result<Json<Standing>, Problem> {
    let tally = votes::remove(&state.db, caller.id, post_id).await?;
    Ok(Json(Standing {
        post_id,
        votes: tally.votes,
        voted: false,
    }))
}
