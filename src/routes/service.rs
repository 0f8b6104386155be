//! `/` and `/health`

use std::time::Duration;

use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{Problem, Route, State, route::route};

/// The longest time that the database may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Vec<Route> {
    vec![route!(welcome), route!(live), route!(ready)]
}

/// The name of the service, and links.
#[derive(Serialize, ToSchema)]
struct Welcome {
    #[schema(example = "acclaim")]
    name: &'static str,
    #[schema(example = "0.1.0")]
    version: &'static str,
    links: Links,
}

#[derive(Serialize, ToSchema)]
struct Links {
    #[schema(example = "/docs")]
    docs: &'static str,
    #[schema(example = "/openapi.json")]
    openapi: &'static str,
    #[schema(example = "/users")]
    sign_up: &'static str,
    #[schema(example = "/login")]
    sign_in: &'static str,
    #[schema(example = "/posts")]
    posts: &'static str,
}

/// The health of the service.
#[derive(Serialize, ToSchema)]
struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Welcome
#[utoipa::path(
    get, path = "/", tag = "service", operation_id = "getWelcome",
    responses((status = 200, description = "Links", body = Welcome)),
)]
async fn welcome() -> Json<Welcome> {
    Json(Welcome {
        name: "acclaim",
        version: env!("CARGO_PKG_VERSION"),
        links: Links {
            docs: "/docs",
            openapi: "/openapi.json",
            sign_up: "/users",
            sign_in: "/login",
            posts: "/posts",
        },
    })
}

/// Check that the service runs
#[utoipa::path(
    get, path = "/health/live", tag = "service", operation_id = "getLive",
    responses((status = 200, description = "It runs", body = Health)),
)]
async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Check that the service can work: its database is reachable and migrated
#[utoipa::path(
    get, path = "/health/ready", tag = "service", operation_id = "getReady",
    responses(
        (status = 200, description = "It can work", body = Health),
        (status = 503, description = "It cannot work now"),
    ),
)]
async fn ready(state: Data<State>) -> Result<Json<Health>, Problem> {
    if state.drain.is_stopping() {
        return Err(Problem::unavailable("the server is stopping", None));
    }
    match tokio::time::timeout(TIMEOUT, state.db.pending()).await {
        Ok(Ok(pending)) if pending.is_empty() => Ok(Json(Health { status: "ok" })),
        Ok(Ok(_)) => Err(Problem::unavailable("the database lacks migrations", None)),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Problem::unavailable(
            "the database is unavailable",
            Some(format!("the database did not answer within {TIMEOUT:?}")),
        )),
    }
}
