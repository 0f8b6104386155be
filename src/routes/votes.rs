//! `/vote` and `/posts/{id}/vote`

use actix_web::{
    HttpResponse,
    web::{Data, Json},
};
use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use entity::values::{Invalid, PostId, Scope, read_integer};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::Error,
    http::{
        Body, Id, Problem, Route, State,
        idempotency::{self, Keyed},
        input::{BodyErrors, ObjectReader},
        problem::types::{ALREADY_VOTED, NO_VOTE, NOT_FOUND, QUOTA_EXCEEDED},
        route::route,
    },
    services::{
        auth::Identity,
        votes::{self, Tally},
    },
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(vote)
            .needs(Scope::VotesWrite)
            .honours_prefer()
            .idempotent_in_batch()
            .fails_with(&[NOT_FOUND, NO_VOTE, ALREADY_VOTED, QUOTA_EXCEEDED]),
        route!(put_vote)
            .needs(Scope::VotesWrite)
            .honours_prefer()
            .fails_with(&[NOT_FOUND]),
        route!(delete_vote)
            .needs(Scope::VotesWrite)
            .honours_prefer()
            .fails_with(&[NOT_FOUND]),
    ]
}

/// A vote to add or remove.
#[derive(ToSchema)]
struct Vote {
    post_id: PostId,
    /// 1 adds the vote, 0 removes it. `vote_dir` is an alias.
    #[schema(value_type = i64, minimum = 0, maximum = 1, example = 1)]
    dir: Direction,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Add,
    Remove,
}

impl Direction {
    fn parse(dir: i64) -> Result<Self, Invalid> {
        match dir {
            1 => Ok(Self::Add),
            0 => Ok(Self::Remove),
            _ => Err(Invalid::new("range", "must be 1 (add) or 0 (remove)")),
        }
    }
}

impl Deserr<BodyErrors> for Direction {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, BodyErrors> {
        read_integer(value, location, Self::parse)
    }
}

/// Not derived, because deserr has no aliases of members.
impl Deserr<BodyErrors> for Vote {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, BodyErrors> {
        let mut object = ObjectReader::new(value, location)?;
        let post_id = object.required("post_id");
        let dir = object.required_or_alias("dir", "vote_dir");
        let vote = post_id.zip(dir).map(|(post_id, dir)| Self { post_id, dir });
        object.finish(vote)
    }
}

/// The result of `POST /vote`.
#[derive(Serialize, ToSchema)]
struct VoteResult {
    #[schema(example = "vote added")]
    message: &'static str,
    #[schema(example = 1)]
    post_id: i64,
    /// The new number of votes for the post.
    #[schema(example = 1)]
    votes: i64,
}

/// The number of votes for a post, and whether the caller voted.
#[derive(Serialize, ToSchema)]
struct VoteState {
    #[schema(example = 1)]
    post_id: i64,
    /// The number of votes for the post.
    #[schema(example = 1)]
    votes: i64,
    /// Whether the caller voted for the post.
    #[schema(example = true)]
    voted: bool,
}

/// Add or remove a vote
///
/// Not idempotent without `Idempotency-Key`: a second vote is 409, and the removal of a missing vote is
/// 404.
#[utoipa::path(
    post, path = "/vote", tag = "votes", operation_id = "vote",
    request_body = Vote,
    responses((status = 201, description = "The vote was added or removed", body = VoteResult)),
)]
async fn vote(
    caller: Identity,
    Body(Vote { post_id, dir }): Body<Vote>,
    Keyed(keyed): Keyed,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (db, caller) = (&state.db, caller.id);
    let unchanged = match dir {
        Direction::Add => Error::AlreadyVoted { post_id },
        Direction::Remove => Error::NoVote { post_id },
    };
    let Some(keyed) = keyed else {
        let (tally, response): (_, fn(&Tally) -> HttpResponse) = match dir {
            Direction::Add => (votes::add(db, caller, post_id).await?, added),
            Direction::Remove => (votes::remove(db, caller, post_id).await?, taken_back),
        };
        return if tally.changed {
            Ok(response(&tally))
        } else {
            Err(unchanged.into())
        };
    };
    // Boxed, because every vote would contain its large future.
    let answer = Box::pin(async {
        match dir {
            Direction::Add => {
                let keyed = keyed.answered_by(|tally| idempotency::stored(Ok(added(tally))));
                votes::add_keyed(db, caller, post_id, keyed).await
            }
            Direction::Remove => {
                let keyed = keyed.answered_by(|tally| idempotency::stored(Ok(taken_back(tally))));
                votes::remove_keyed(db, caller, post_id, keyed).await
            }
        }
    });
    idempotency::response(answer.await?.ok_or(unchanged)?)
}

fn added(tally: &Tally) -> HttpResponse {
    changed(tally, "vote added")
}

fn taken_back(tally: &Tally) -> HttpResponse {
    changed(tally, "vote taken back")
}

fn changed(tally: &Tally, message: &'static str) -> HttpResponse {
    HttpResponse::Created().json(VoteResult {
        message,
        post_id: tally.post_id.get(),
        votes: tally.votes,
    })
}

/// Vote for a post
///
/// Idempotent.
#[utoipa::path(
    put, path = "/posts/{id}/vote", tag = "votes", operation_id = "putVote",
    params(Id<PostId>),
    responses((status = 200, description = "The caller's vote is counted", body = VoteState)),
)]
async fn put_vote(
    caller: Identity,
    Id(post_id): Id<PostId>,
    state: Data<State>,
) -> Result<Json<VoteState>, Problem> {
    let tally = votes::add(&state.db, caller.id, post_id).await?;
    Ok(Json(VoteState {
        post_id: post_id.get(),
        votes: tally.votes,
        voted: true,
    }))
}

/// Remove the vote for a post
///
/// Idempotent.
#[utoipa::path(
    delete, path = "/posts/{id}/vote", tag = "votes", operation_id = "deleteVote",
    params(Id<PostId>),
    responses((status = 200, description = "The caller has no vote for the post", body = VoteState)),
)]
async fn delete_vote(
    caller: Identity,
    Id(post_id): Id<PostId>,
    state: Data<State>,
) -> Result<Json<VoteState>, Problem> {
    let tally = votes::remove(&state.db, caller.id, post_id).await?;
    Ok(Json(VoteState {
        post_id: post_id.get(),
        votes: tally.votes,
        voted: false,
    }))
}
