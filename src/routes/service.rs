//! `/` and `/health`

use std::time::Duration;

use actix_web::web::{self, Data, Json, ServiceConfig};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::http::{Problem, State, route::get};

/// How long the database may take to show that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(OpenApi)]
#[openapi(paths(welcome, live, ready))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(get(web::resource("/"), welcome))
        .service(get(web::resource("/health/live"), live))
        .service(get(web::resource("/health/ready"), ready));
}

/// Where to go from here.
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

/// How the service is.
#[derive(Serialize, ToSchema)]
struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Where to go from here
#[utoipa::path(
    get, path = "/", tag = "service", operation_id = "getWelcome",
    security(()),
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

/// Whether the service runs
#[utoipa::path(
    get, path = "/health/live", tag = "service", operation_id = "getLive",
    security(()),
    responses((status = 200, description = "It does", body = Health)),
)]
async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether the service can work: its database is reachable and migrated
#[utoipa::path(
    get, path = "/health/ready", tag = "service", operation_id = "getReady",
    security(()),
    responses(
        (status = 200, description = "It can", body = Health),
        (status = 503, description = "Not now"),
    ),
)]
async fn ready(state: Data<State>) -> Result<Json<Health>, Problem> {
    if state.drain.is_stopping() {
        return Err(Problem::unavailable("the server is stopping", None));
    }
    match tokio::time::timeout(PATIENCE, state.db.pending()).await {
        Ok(Ok(pending)) if pending.is_empty() => Ok(Json(Health { status: "ok" })),
        Ok(Ok(_)) => Err(Problem::unavailable("the database lacks migrations", None)),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Problem::unavailable(
            "the database is away",
            Some(format!("the database did not answer within {PATIENCE:?}")),
        )),
    }
}
