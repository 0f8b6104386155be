//! `/stats`, `/tags` and the statistics of posts and users

use actix_web::{HttpRequest, HttpResponse, http::header::LINK, web::Json};
use deserr::Deserr;
use entity::values::{Limit, PostId, Scope, TagCursor, UserId};
use serde::{Serialize, Serializer};
use time::{Date, Duration, OffsetDateTime};
use utoipa::ToSchema;

use crate::{
    http::{
        Id, Problem, Query, Reads, Route, input::QueryErrors, link::link,
        problem::types::NOT_FOUND, route::route,
    },
    services::{
        auth::Identity,
        statistics::{self, DayNumber, FoldedTo, day_of},
    },
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(service).needs_unless_public(Scope::PostsRead),
        route!(user)
            .needs_unless_public(Scope::PostsRead)
            .fails_with(&[NOT_FOUND]),
        route!(post)
            .needs_unless_public(Scope::PostsRead)
            .fails_with(&[NOT_FOUND]),
        route!(tags).needs_unless_public(Scope::PostsRead),
    ]
}

/// How far statistics are.
#[derive(Serialize, ToSchema)]
struct Folded {
    /// Every event up to this position of `GET /events` is counted.
    #[schema(example = 42)]
    position: i64,
    /// False while the service counts what exists, for example after an upgrade. Some numbers are too
    /// small then.
    #[schema(example = true)]
    complete: bool,
}

impl From<FoldedTo> for Folded {
    fn from(folded: FoldedTo) -> Self {
        Self {
            position: folded.position.get(),
            complete: folded.is_complete,
        }
    }
}

/// A day in UTC, as a date.
struct Day(DayNumber);

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let date = OffsetDateTime::UNIX_EPOCH
            .date()
            .checked_add(Duration::days(self.0.into()));
        serializer.collect_str(&date.unwrap_or(Date::MAX))
    }
}

/// The numbers of the service.
#[derive(Serialize, ToSchema)]
struct ServiceStatistics {
    #[serde(flatten)]
    #[schema(inline)]
    folded: Folded,
    /// Users who are not deleted.
    #[schema(example = 12)]
    users: i64,
    /// Posts that everyone sees.
    #[schema(example = 34)]
    posts: i64,
    /// Votes for these posts.
    #[schema(example = 56)]
    votes: i64,
    /// Users who created or changed a post or voted today, in UTC. Deleted users do not count.
    #[schema(example = 3)]
    daily_active_users: i64,
    /// The same for the last 30 days, today included. A user counts once.
    #[schema(example = 7)]
    monthly_active_users: i64,
    /// Those of the last 30 days on which there were any, oldest first.
    #[schema(max_items = 30)]
    active_users_by_day: Vec<ActiveUsers>,
}

/// The active users of a day.
#[derive(Serialize, ToSchema)]
struct ActiveUsers {
    /// The day in UTC.
    #[schema(value_type = String, format = Date, example = "2026-11-21")]
    day: Day,
    /// Users who created or changed a post or voted on this day.
    #[schema(example = 3)]
    users: i64,
}

/// The numbers of a user.
#[derive(Serialize, ToSchema)]
struct UserStatistics {
    #[serde(flatten)]
    #[schema(inline)]
    folded: Folded,
    #[schema(example = 1)]
    user_id: i64,
    /// Posts of the user that everyone sees.
    #[schema(example = 34)]
    posts: i64,
    /// Votes for these posts.
    #[schema(example = 56)]
    votes: i64,
}

/// The votes for a post by day.
#[derive(Serialize, ToSchema)]
struct PostStatistics {
    #[serde(flatten)]
    #[schema(inline)]
    folded: Folded,
    #[schema(example = 1)]
    post_id: i64,
    /// The number of votes.
    #[schema(example = 2)]
    votes: i64,
    /// The last 90 days on which votes were added or removed, newest first.
    #[schema(max_items = 90)]
    days: Vec<VotesOfDay>,
}

/// The votes of a day.
#[derive(Serialize, ToSchema)]
struct VotesOfDay {
    /// The day in UTC.
    #[schema(value_type = String, format = Date, example = "2026-11-21")]
    day: Day,
    /// Votes that were added.
    #[schema(example = 3)]
    added: i64,
    /// Votes that were removed.
    #[schema(example = 1)]
    removed: i64,
    /// The difference of the two.
    #[schema(example = 2)]
    net: i64,
}

/// The tags in use.
#[derive(Serialize, ToSchema)]
struct TagPage {
    #[serde(flatten)]
    #[schema(inline)]
    folded: Folded,
    /// The tags, most used first, and then by name.
    #[schema(max_items = 100)]
    tags: Vec<TagStatistics>,
}

/// A tag and its number of posts.
#[derive(Serialize, ToSchema)]
struct TagStatistics {
    #[schema(example = "engines")]
    tag: String,
    /// Posts with this tag that everyone sees.
    #[schema(example = 12)]
    posts: i64,
}

/// The query parameters of `GET /tags`.
#[derive(Deserr, utoipa::IntoParams)]
#[deserr(error = QueryErrors)]
#[into_params(parameter_in = Query)]
struct TagParameters {
    /// Maximum number of tags in a page.
    #[deserr(default)]
    #[param(inline, required = false)]
    limit: Limit,
    /// The start of a page, from the `Link` header of an earlier response.
    #[deserr(default)]
    #[param(inline, nullable = false)]
    cursor: Option<TagCursor>,
}

/// Read the numbers of the service
///
/// They follow the event log, usually within two seconds: `position` says how far.
#[utoipa::path(
    get, path = "/stats", tag = "statistics", operation_id = "getStatistics",
    params(Reads),
    responses((status = 200, description = "The numbers", body = ServiceStatistics)),
)]
async fn service(reads: Reads) -> Result<Json<ServiceStatistics>, Problem> {
    let today = day_of(OffsetDateTime::now_utc());
    let totals = reads
        .run(async |db| statistics::totals(db, today).await)
        .await?;
    let of_today = totals.days.iter().find(|day| day.day == today);
    let days = totals.days.iter().map(|day| ActiveUsers {
        day: Day(day.day),
        users: day.active,
    });
    Ok(Json(ServiceStatistics {
        folded: totals.folded.into(),
        users: totals.users,
        posts: totals.posts,
        votes: totals.votes,
        daily_active_users: of_today.map_or(0, |day| day.active),
        monthly_active_users: totals.monthly_active,
        active_users_by_day: days.collect(),
    }))
}

/// Read the numbers of a user
///
/// Only posts that everyone sees count, also for their owner.
#[utoipa::path(
    get, path = "/users/{id}/stats", tag = "statistics", operation_id = "getUserStatistics",
    params(Id<UserId>, Reads),
    responses((status = 200, description = "The numbers", body = UserStatistics)),
)]
async fn user(Id(id): Id<UserId>, reads: Reads) -> Result<Json<UserStatistics>, Problem> {
    let totals = reads
        .run(async |db| statistics::of_user(db, id).await)
        .await?;
    Ok(Json(UserStatistics {
        folded: totals.folded.into(),
        user_id: id.get(),
        posts: totals.posts,
        votes: totals.votes,
    }))
}

/// Read the votes for a post by day
///
/// For those who see the post. Nobody learns who voted.
#[utoipa::path(
    get, path = "/posts/{id}/stats", tag = "statistics", operation_id = "getPostStatistics",
    params(Id<PostId>, Reads),
    responses((status = 200, description = "The votes", body = PostStatistics)),
)]
async fn post(
    viewer: Option<Identity>,
    Id(id): Id<PostId>,
    reads: Reads,
) -> Result<Json<PostStatistics>, Problem> {
    let viewer = viewer.map(|viewer| viewer.id);
    let found = reads
        .run(async |db| statistics::of_post(db, viewer, id).await)
        .await?;
    let days = found.days.iter().map(|day| VotesOfDay {
        day: Day(day.day),
        added: day.added,
        removed: day.removed,
        net: day.added - day.removed,
    });
    Ok(Json(PostStatistics {
        folded: found.folded.into(),
        post_id: id.get(),
        votes: found.votes,
        days: days.collect(),
    }))
}

/// List tags
///
/// The tags of posts that everyone sees, most used first. Follow `next` in `Link` for the next page. A tag
/// whose number changes meanwhile may be on two pages or on none.
#[utoipa::path(
    get, path = "/tags", tag = "statistics", operation_id = "listTags",
    params(TagParameters, Reads),
    responses((status = 200, description = "A page of tags", body = TagPage, headers(
        ("Link" = String, description = "The URI of the page `next` (RFC 8288)"),
    ))),
)]
async fn tags(
    Query(parameters): Query<TagParameters>,
    reads: Reads,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let TagParameters { limit, cursor } = parameters;
    let (folded, tags, next) = reads
        .run(async |db| statistics::tags(db, cursor.as_ref(), limit.get()).await)
        .await?;
    let mut response = HttpResponse::Ok();
    if let Some(link) = link(&request, next, None::<TagCursor>) {
        response.insert_header((LINK, link));
    }
    let tags = tags.into_iter().map(|counted| TagStatistics {
        tag: counted.tag.into(),
        posts: counted.posts,
    });
    Ok(response.json(TagPage {
        folded: folded.into(),
        tags: tags.collect(),
    }))
}
