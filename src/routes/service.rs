//! `/` and the health checks

use std::time::Duration;

use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    db::Db,
    error::Error,
    http::{Problem, Route, State, route::route},
};

/// Maximum time for the database to respond.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Vec<Route> {
    vec![route!(welcome), route!(live), route!(ready)]
}

/// Name, version and links of the service.
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

/// Get name, version and links of the service
#[utoipa::path(
    get, path = "/", tag = "service", operation_id = "getWelcome",
    responses((status = 200, description = "Name, version and links", body = Welcome)),
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

/// Check whether the service is running
#[utoipa::path(
    get, path = "/health/live", tag = "service", operation_id = "getLive",
    responses((status = 200, description = "The service is running", body = Health)),
)]
async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Check whether the service is ready: its database is reachable and migrated
///
/// The answer is at most one second old.
#[utoipa::path(
    get, path = "/health/ready", tag = "service", operation_id = "getReady",
    responses(
        (status = 200, description = "The service is ready", body = Health),
        (status = 503, description = "The service is not ready"),
    ),
)]
async fn ready(state: Data<State>) -> Result<Json<Health>, Problem> {
    if state.drain.is_stopping() {
        return Err(Problem::unavailable("the server is stopping", None));
    }
    state.readiness.get(check(&state.db)).await?;
    Ok(Json(Health { status: "ok" }))
}

async fn check(db: &Db) -> Result<(), Problem> {
    match tokio::time::timeout(TIMEOUT, db.pending()).await {
        Ok(Ok(pending)) if pending.is_empty() => Ok(()),
        Ok(Ok(_)) => Err(Problem::unavailable(
            "the database has pending migrations",
            None,
        )),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => {
            let cause = format!("the database did not answer within {TIMEOUT:?}");
            Err(Error::unavailable(cause).into())
        }
    }
}
