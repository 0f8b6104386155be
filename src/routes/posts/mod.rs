//! `/posts`

mod bulk;
mod query;
mod types;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderValue, LINK, LOCATION},
    },
    web::Data,
};
use entity::values::{Invalid, PostId, Scope};
use sea_orm::IntoActiveModel;

use self::{
    query::FeedParameters,
    types::{PostCreate, PostUpdate},
};
use super::types::ModerationReason;
use crate::{
    http::{
        Body, ExternalIdSegment, Id, Preconditions, Problem, Query, Reads, Representation, Route,
        State,
        idempotency::{self, Keyed},
        link::{X_TOTAL_COUNT, link},
        problem::{
            ProblemType,
            types::{
                EXTERNAL_ID_TAKEN, LIST_TOO_SLOW, NOT_FOUND, NOT_OWNER, PRECONDITION_FAILED,
                QUOTA_EXCEEDED, ROLE_REQUIRED, SERVICE_BUSY, TOO_MANY_EXPENSIVE_READS,
            },
        },
        route::route,
        version_tag,
    },
    services::{
        auth::Identity,
        paging::Page,
        posts::{
            self, PostView,
            feed::{self, FeedCursor, FeedQuery},
        },
    },
};
pub(super) use types::{ExportedPost, Post};

/// The problems of a change of a post.
const CHANGE_PROBLEMS: &[&ProblemType] = &[
    NOT_FOUND,
    NOT_OWNER,
    EXTERNAL_ID_TAKEN,
    QUOTA_EXCEEDED,
    PRECONDITION_FAILED,
];

pub(super) fn routes() -> Vec<Route> {
    let mut routes = bulk::routes();
    routes.extend([
        route!(list)
            .needs_unless_public(Scope::PostsRead)
            .fails_with(&[TOO_MANY_EXPENSIVE_READS, SERVICE_BUSY, LIST_TOO_SLOW]),
        route!(create)
            .needs(Scope::PostsCreate)
            .honours_prefer()
            .idempotent_in_batch()
            .fails_with(&[EXTERNAL_ID_TAKEN, QUOTA_EXCEEDED]),
        route!(put)
            .needs(Scope::PostsCreate)
            .honours_prefer()
            .fails_with(&[QUOTA_EXCEEDED, PRECONDITION_FAILED]),
        route!(read)
            .needs_unless_public(Scope::PostsRead)
            .fails_with(&[NOT_FOUND]),
        route!(replace)
            .needs(Scope::PostsUpdate)
            .honours_prefer()
            .fails_with(CHANGE_PROBLEMS),
        route!(patch)
            .needs(Scope::PostsUpdate)
            .honours_prefer()
            .fails_with(CHANGE_PROBLEMS),
        route!(delete).needs(Scope::PostsDelete).fails_with(&[
            NOT_FOUND,
            NOT_OWNER,
            ROLE_REQUIRED,
            PRECONDITION_FAILED,
        ]),
    ]);
    routes
}

/// List posts
///
/// Lists published posts and the caller's drafts. No token is needed if the operator has set
/// `PUBLIC_READS`.
///
/// For the next page, follow `next` in the `Link` header. Its cost does not grow with the depth of
/// the page. If the list still matches `If-None-Match`, the response is 304 without a body.
///
/// `metadata.KEY=VALUE` lists the posts whose metadata has a member KEY that equals VALUE: the text VALUE, or the
/// number, `true`, `false` or `null` that VALUE spells in JSON. KEY has 1 to 100 characters, no `"`, `\` or
/// control character. A list can have three of these filters.
///
/// A list is expensive if it has `search`, `metadata.KEY`, `count=exact`, `voted=false`, `published=false`, or `skip`
/// above 1,000, or combines an owner, a tag, own votes, a time span, or the order `top` or `hot` with
/// another of these. A caller can have two expensive lists in progress at a time.
#[utoipa::path(
    get, path = "/posts", tag = "posts", operation_id = "listPosts",
    params(FeedParameters, Reads),
    responses(
        (status = 200, description = "A page of posts", body = [Post], headers(
            ("Link" = String, description = "The URIs of the pages `next` and `prev` (RFC 8288)"),
            ("X-Total-Count" = i64, description = "The total number of posts in the list, with `count=exact`"),
            ("ETag" = String, description = "The validator of this response, for `If-None-Match`"),
            ("Cache-Control" = String, description = "`private, no-cache`, or `public, no-cache` without a token"),
            ("Vary" = String, description = "`Authorization`"),
        )),
        (status = 304, description = "The list matches `If-None-Match`"),
    ),
)]
async fn list(
    viewer: Option<Identity>,
    Query(parameters): Query<FeedParameters>,
    reads: Reads,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let viewer = viewer.map(|viewer| viewer.id);
    let query = FeedQuery::from(parameters);
    let expensive = if query.is_expensive() {
        let limits = &state.limits;
        let place = limits.begin_expensive_read(&request, viewer).await?;
        Some(state.db.hold(place))
    } else {
        None
    };
    let page = reads.run(async |db| feed::page::<FeedPage>(db, viewer, &query).await);
    let page = page.await;
    if let Some(expensive) = expensive {
        expensive.end();
    }
    let page = page?;
    let representation = page.representation.clone();
    let representation = representation.map_err(Problem::internal)?;
    let mut response = representation.conditional_response(&request);
    let headers = response.headers_mut();
    if let Some(link) = link(&request, page.next.as_ref(), page.prev.as_ref()) {
        headers.insert(LINK, link);
    }
    if let Some(total) = page.total {
        headers.insert(X_TOTAL_COUNT, total.into());
    }
    Ok(response)
}

/// A serialised page of a list. Callers with the same posts and votes share it.
struct FeedPage {
    representation: Result<Representation, String>,
    next: Option<FeedCursor>,
    prev: Option<FeedCursor>,
    total: Option<u64>,
}

impl feed::FeedRepresentation for FeedPage {
    fn of(page: Page<PostView, FeedCursor>) -> Self {
        let posts: Vec<Post> = page.items.iter().map(Post::from).collect();
        let cursors =
            [&page.next, &page.prev].map(|cursor| cursor.as_ref().map(FeedCursor::to_string));
        let [next, prev] = cursors.map(Option::unwrap_or_default);
        let total = page.total.map(|total| total.to_string());
        let headers = [next, prev, total.unwrap_or_default()].join(" ");
        Self {
            representation: Representation::of(&posts, &headers),
            next: page.next,
            prev: page.prev,
            total: page.total,
        }
    }
}

/// Create a post or a draft
#[utoipa::path(
    post, path = "/posts", tag = "posts", operation_id = "createPost",
    request_body = PostCreate,
    responses(
        (status = 201, description = "The new post", body = Post, headers(
            ("Location" = String, description = "The path of the post"),
            ("ETag" = String, description = "The validator of this response, for `If-None-Match`"),
        )),
    ),
)]
async fn create(
    caller: Identity,
    Body(new): Body<PostCreate>,
    Keyed(keyed): Keyed,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let State { db, quotas, .. } = state.get_ref();
    let new = new.into_active_model();
    let Some(keyed) = keyed else {
        return created(&posts::create(db, quotas, caller, new).await?);
    };
    let keyed = keyed.answered_by(|post| idempotency::stored(created(post)));
    let created = posts::create_keyed(db, quotas, caller, new, keyed);
    // Boxed, because every new post would contain its large future.
    idempotency::response(Box::pin(created).await?)
}

/// The response to a request that created `post`.
fn created(post: &PostView) -> Result<HttpResponse, Problem> {
    let location = HeaderValue::try_from(format!("/posts/{}", post.row.id));
    let mut response = representation(post)?.response(StatusCode::CREATED);
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Create or replace the post with an external id
///
/// The external ids of different users are independent. To replace a post, the token also needs the scope
/// `posts:update`. An omitted optional member gets its default value. `external_id` of the body can be omitted.
#[utoipa::path(
    put, path = "/posts/by-external-id/{external_id}", tag = "posts", operation_id = "putPostByExternalId",
    params(ExternalIdSegment, Preconditions),
    request_body = PostCreate,
    responses(
        (status = 200, description = "The replaced post", body = Post, headers(
            ("ETag" = String, description = "The validator of this response, for `If-None-Match`"),
        )),
        (status = 201, description = "The new post", body = Post, headers(
            ("Location" = String, description = "The path of the post"),
            ("ETag" = String, description = "The validator of this response, for `If-None-Match`"),
        )),
    ),
)]
async fn put(
    caller: Identity,
    ExternalIdSegment(external_id): ExternalIdSegment,
    Preconditions(precondition): Preconditions,
    Body(post): Body<PostCreate>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_body = post.external_id.as_ref().and_then(Option::as_ref);
    if in_body.is_some_and(|in_body| *in_body != external_id) {
        let invalid = Invalid::new("mismatch", "must be the one of the path, or be left out");
        return Err(Problem::invalid_field("external_id", &invalid));
    }
    let State { db, quotas, .. } = state.get_ref();
    let post = post.into_active_model();
    let (post, is_new) = posts::put(db, quotas, &caller, external_id, &precondition, post).await?;
    if is_new {
        return created(&post);
    }
    Ok(representation(&post)?.response(StatusCode::OK))
}

/// Read a post
///
/// No token is needed if the operator has set `PUBLIC_READS`.
#[utoipa::path(
    get, path = "/posts/{id}", tag = "posts", operation_id = "getPost",
    params(Id<PostId>, Reads),
    responses(
        (status = 200, description = "The post", body = Post, headers(
            ("ETag" = String, description = "The validator of this response, for `If-None-Match`"),
            ("Cache-Control" = String, description = "`private, no-cache`, or `public, no-cache` without a token"),
            ("Vary" = String, description = "`Authorization`"),
        )),
        (status = 304, description = "The post matches `If-None-Match`"),
    ),
)]
async fn read(
    viewer: Option<Identity>,
    Id(id): Id<PostId>,
    reads: Reads,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let viewer = viewer.map(|viewer| viewer.id);
    let post = reads
        .run(async |db| posts::get(db, viewer, id).await)
        .await?;
    Ok(representation(&post)?.conditional_response(&request))
}

/// Replace a post
///
/// An omitted optional member gets its default value.
#[utoipa::path(
    put, path = "/posts/{id}", tag = "posts", operation_id = "replacePost",
    params(Id<PostId>, Preconditions),
    request_body = PostCreate,
    responses(
        (status = 200, description = "The changed post", body = Post, headers(
            ("ETag" = String, description = "The validator of this response, for `If-None-Match`"),
        )),
    ),
)]
async fn replace(
    caller: Identity,
    Id(id): Id<PostId>,
    Preconditions(precondition): Preconditions,
    Body(post): Body<PostCreate>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let State { db, quotas, .. } = state.get_ref();
    let changes = post.into_active_model();
    let post = posts::update(db, quotas, caller.id, id, &precondition, changes).await?;
    Ok(representation(&post)?.response(StatusCode::OK))
}

/// Change a post
#[utoipa::path(
    patch, path = "/posts/{id}", tag = "posts", operation_id = "patchPost",
    params(Id<PostId>, Preconditions),
    request_body(content((PostUpdate = "application/merge-patch+json"), (PostUpdate = "application/json"))),
    responses(
        (status = 200, description = "The changed post", body = Post, headers(
            ("ETag" = String, description = "The validator of this response, for `If-None-Match`"),
        )),
    ),
)]
async fn patch(
    caller: Identity,
    Id(id): Id<PostId>,
    Preconditions(precondition): Preconditions,
    Body(patch): Body<PostUpdate>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let State { db, quotas, .. } = state.get_ref();
    let changes = patch.into_active_model();
    let post = posts::update(db, quotas, caller.id, id, &precondition, changes).await?;
    Ok(representation(&post)?.response(StatusCode::OK))
}

/// Delete a post and its votes
///
/// Moderators can delete any post. The audit log records the deletion of another user's post.
#[utoipa::path(
    delete, path = "/posts/{id}", tag = "posts", operation_id = "deletePost",
    params(Id<PostId>, Preconditions, ModerationReason),
    responses((status = 204, description = "The post is deleted")),
)]
async fn delete(
    caller: Identity,
    Id(id): Id<PostId>,
    Preconditions(precondition): Preconditions,
    Query(ModerationReason { reason }): Query<ModerationReason>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    posts::delete(&state.db, &caller, id, &precondition, &reason).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn representation(post: &PostView) -> Result<Representation, Problem> {
    let representation = Representation::of(&Post::from(post), "").map_err(Problem::internal)?;
    Ok(representation.with_tag_prefix(&version_tag(post.row.id, post.row.version)))
}
