//! `/posts`

mod own;
mod query;
mod types;

pub(super) use own::OwnPost;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{HeaderValue, LINK, LOCATION},
    },
    web::{self, Data, ServiceConfig},
};
use utoipa::OpenApi;

use self::{
    query::PostQuery,
    types::{NewPost, Post, PostPatch},
};
use super::types::Reason;
use crate::{
    http::{
        Body, Caller, Id, Problem, Query, Reader, Representation, State, Then,
        link::{X_TOTAL_COUNT, link},
        route::{get, on},
    },
    services::{
        auth::{POSTS_CREATE, POSTS_DELETE, POSTS_UPDATE},
        posts,
    },
};

#[derive(OpenApi)]
#[openapi(paths(list, create, read, replace, patch, delete))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(get(web::resource("/posts"), list).route(on(Method::POST, create)))
        .service(
            get(web::resource("/posts/{id}"), read)
                .route(on(Method::PUT, replace))
                .route(on(Method::PATCH, patch))
                .route(on(Method::DELETE, delete)),
        );
}

/// List posts
///
/// Published posts and one's own drafts. Needs no token where the operator has set `PUBLIC_READS`.
///
/// To page, follow `next` of the header `Link`: page 10,000 costs what the first costs. With
/// `If-None-Match` a list that has not changed is answered 304, without a body.
#[utoipa::path(
    get, path = "/posts", tag = "posts", operation_id = "listPosts",
    security(("password" = ["posts:read"]), ("token" = [])),
    params(PostQuery),
    responses(
        (status = 200, description = "The posts", body = [Post], headers(
            ("Link" = String, description = "Where the list goes on: `next`, and `prev` (RFC 8288)"),
            ("X-Total-Count" = i64, description = "How many posts the list has in all, with `count=exact`"),
            ("ETag" = String, description = "The validator of this answer, for `If-None-Match`"),
        )),
        (status = 304, description = "The posts are as `If-None-Match` says"),
    ),
)]
async fn list(
    Then(reader, Query(query)): Then<Reader, Query<PostQuery>>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = posts::page(&state.db, reader.id(), query.into()).await?;
    let link = link(&request, page.next, page.prev);
    let total = page.total;
    let representation = page.representation(represent).map_err(Problem::internal)?;
    let mut answer = representation.read(&request);
    let headers = answer.headers_mut();
    if let Some(link) = link {
        headers.insert(LINK, link);
    }
    if let Some(total) = total {
        headers.insert(X_TOTAL_COUNT, total.into());
    }
    Ok(answer)
}

/// Publish a post, or keep a draft
#[utoipa::path(
    post, path = "/posts", tag = "posts", operation_id = "createPost",
    security(("password" = ["posts:create"]), ("token" = [])),
    request_body = NewPost,
    responses(
        (status = 201, description = "The post", body = Post, headers(
            ("Location" = String, description = "The post's path"),
            ("ETag" = String, description = "The validator of this answer, for `If-None-Match`"),
        )),
    ),
)]
async fn create(
    Then(Caller(caller), Body(new)): Then<Caller<POSTS_CREATE>, Body<NewPost>>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let post = posts::create(&state.db, caller, new.into()).await?;
    let location = HeaderValue::try_from(format!("/posts/{}", post.id));
    let mut answer = representation(post)?.answer(StatusCode::CREATED);
    if let Ok(location) = location {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

/// A post
///
/// Needs no token where the operator has set `PUBLIC_READS`.
#[utoipa::path(
    get, path = "/posts/{id}", tag = "posts", operation_id = "getPost",
    security(("password" = ["posts:read"]), ("token" = [])),
    params(Id),
    responses(
        (status = 200, description = "The post", body = Post, headers(
            ("ETag" = String, description = "The validator of this answer, for `If-None-Match`"),
        )),
        (status = 304, description = "The post is as `If-None-Match` says"),
        (status = 404, description = "No such post"),
    ),
)]
async fn read(
    Then(reader, Id(id)): Then<Reader, Id>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let post = posts::get(&state.db, reader.id(), id).await?;
    Ok(representation(post)?.read(&request))
}

/// Replace a post
///
/// An optional field that is left out takes its default.
#[utoipa::path(
    put, path = "/posts/{id}", tag = "posts", operation_id = "replacePost",
    security(("password" = ["posts:update"]), ("token" = [])),
    params(Id),
    request_body = NewPost,
    responses(
        (status = 200, description = "The post as it is now", body = Post, headers(
            ("ETag" = String, description = "The validator of this answer, for `If-None-Match`"),
        )),
        (status = 403, description = "Somebody else's"),
        (status = 404, description = "No such post"),
    ),
)]
async fn replace(
    Then(Caller(caller), Then(Id(id), Body(post))): Then<
        Caller<POSTS_UPDATE>,
        Then<Id, Body<NewPost>>,
    >,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let post = posts::update(&state.db, caller.id, id, post.into()).await?;
    Ok(representation(post)?.answer(StatusCode::OK))
}

/// Change a post
#[utoipa::path(
    patch, path = "/posts/{id}", tag = "posts", operation_id = "patchPost",
    security(("password" = ["posts:update"]), ("token" = [])),
    params(Id),
    request_body(content((PostPatch = "application/merge-patch+json"), (PostPatch = "application/json"))),
    responses(
        (status = 200, description = "The post as it is now", body = Post, headers(
            ("ETag" = String, description = "The validator of this answer, for `If-None-Match`"),
        )),
        (status = 403, description = "Somebody else's"),
        (status = 404, description = "No such post"),
    ),
)]
async fn patch(
    Then(Caller(caller), Then(Id(id), Body(patch))): Then<
        Caller<POSTS_UPDATE>,
        Then<Id, Body<PostPatch>>,
    >,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let post = posts::update(&state.db, caller.id, id, patch.into()).await?;
    Ok(representation(post)?.answer(StatusCode::OK))
}

/// Delete a post, its votes with it
///
/// Moderators may delete anybody's, which is recorded.
#[utoipa::path(
    delete, path = "/posts/{id}", tag = "posts", operation_id = "deletePost",
    security(("password" = ["posts:delete"]), ("token" = [])),
    params(Id, Reason),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Somebody else's"),
        (status = 404, description = "No such post"),
    ),
)]
async fn delete(
    Then(Caller(caller), Then(Id(id), Query(why))): Then<
        Caller<POSTS_DELETE>,
        Then<Id, Query<Reason>>,
    >,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    posts::delete(&state.db, &caller, id, &why.reason).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn represent(
    posts: Vec<posts::Post>,
    page: &posts::FeedPage<Representation>,
) -> Result<Representation, String> {
    let posts: Vec<Post> = posts.into_iter().map(Post::from).collect();
    let beside = format!("{:?} {:?} {:?}", page.next, page.prev, page.total);
    Representation::of(&posts, &beside)
}

fn representation(post: posts::Post) -> Result<Representation, Problem> {
    Representation::of(&Post::from(post), "").map_err(Problem::internal)
}
