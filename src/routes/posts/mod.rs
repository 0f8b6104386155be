//! `/posts`

mod own;
mod types;

pub(super) use own::OwnPost;

use actix_web::{
    HttpResponse,
    http::{Method, header::LOCATION},
    web::{self, Data, Json, ServiceConfig},
};
use utoipa::OpenApi;

use self::types::{NewPost, Post, PostPatch, PostQuery};
use super::types::Reason;
use crate::{
    http::{
        Body, Caller, Id, Problem, Query, Reader, State, Then,
        route::{get, on},
    },
    services::{
        access::{POSTS_CREATE, POSTS_DELETE, POSTS_UPDATE},
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
#[utoipa::path(
    get, path = "/posts", tag = "posts", operation_id = "listPosts",
    security(("password" = ["posts:read"]), ("token" = [])),
    params(PostQuery),
    responses(
        (status = 200, description = "The posts", body = [Post]),
    ),
)]
async fn list(
    Then(reader, Query(query)): Then<Reader, Query<PostQuery>>,
    state: Data<State>,
) -> Result<Json<Vec<Post>>, Problem> {
    let posts = posts::list(&state.db, reader.id(), &query.into()).await?;
    Ok(Json(posts.into_iter().map(Post::from).collect()))
}

/// Publish a post, or keep a draft
#[utoipa::path(
    post, path = "/posts", tag = "posts", operation_id = "createPost",
    security(("password" = ["posts:create"]), ("token" = [])),
    request_body = NewPost,
    responses(
        (status = 201, description = "The post", body = Post, headers(("Location" = String, description = "The post's path"))),
    ),
)]
async fn create(
    Then(Caller(caller), Body(new)): Then<Caller<POSTS_CREATE>, Body<NewPost>>,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let post = Post::from(posts::create(&state.db, caller, new.into()).await?);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/posts/{}", post.id)))
        .json(post))
}

/// A post
///
/// Needs no token where the operator has set `PUBLIC_READS`.
#[utoipa::path(
    get, path = "/posts/{id}", tag = "posts", operation_id = "getPost",
    security(("password" = ["posts:read"]), ("token" = [])),
    params(Id),
    responses(
        (status = 200, description = "The post", body = Post),
        (status = 404, description = "No such post"),
    ),
)]
async fn read(
    Then(reader, Id(id)): Then<Reader, Id>,
    state: Data<State>,
) -> Result<Json<Post>, Problem> {
    let post = posts::get(&state.db, reader.id(), id).await?;
    Ok(Json(post.into()))
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
        (status = 200, description = "The post as it is now", body = Post),
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
) -> Result<Json<Post>, Problem> {
    let post = posts::update(&state.db, caller.id, id, post.into()).await?;
    Ok(Json(post.into()))
}

/// Change a post
#[utoipa::path(
    patch, path = "/posts/{id}", tag = "posts", operation_id = "patchPost",
    security(("password" = ["posts:update"]), ("token" = [])),
    params(Id),
    request_body(content((PostPatch = "application/merge-patch+json"), (PostPatch = "application/json"))),
    responses(
        (status = 200, description = "The post as it is now", body = Post),
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
) -> Result<Json<Post>, Problem> {
    let post = posts::update(&state.db, caller.id, id, patch.into()).await?;
    Ok(Json(post.into()))
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
