//! `/` and the health checks.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    db::Db,
    error::Error,
    http::{
        Problem, Route, State,
        page::{Page, escape_html, page_or_json},
        route::route,
    },
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
    /// The problem types, with the meaning of every error.
    #[schema(example = "/problems")]
    problems: &'static str,
    #[schema(example = "/health/ready")]
    health: &'static str,
    /// The URL of the front end. Only if the operator set one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uri, example = "https://app.example/")]
    frontend: Option<String>,
}

/// The health of the service.
#[derive(Serialize, ToSchema)]
struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Get name, version and links of the service
///
/// The response is HTML or JSON, as `Accept` prefers.
#[utoipa::path(
    get, path = "/", tag = "service", operation_id = "getWelcome",
    responses(
        (status = 200, description = "Name, version and links", content(
            (Welcome = "application/json"),
            (String = "text/html"),
        ), headers(
            ("Vary" = String, description = "`Accept`"),
            ("Content-Security-Policy" = String, description = "Allows only the style sheet of the page, and no frames"),
        )),
    ),
)]
async fn welcome(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let welcome = Welcome {
        name: "acclaim",
        version: env!("CARGO_PKG_VERSION"),
        links: Links {
            docs: "/docs",
            openapi: "/openapi.json",
            sign_up: "/users",
            sign_in: "/login",
            posts: "/posts",
            problems: "/problems",
            health: "/health/ready",
            frontend: state.frontend_url.as_ref().map(ToString::to_string),
        },
    };
    page_or_json(&request, || page(&welcome), &welcome)
}

fn page(welcome: &Welcome) -> Page {
    let Welcome { version, links, .. } = welcome;
    let frontend = links.frontend.as_deref().map_or_else(String::new, |url| {
        let url = escape_html(url);
        format!("<li><a href=\"{url}\">Front end</a>: read and write posts in the browser</li>\n")
    });
    let Links {
        docs,
        openapi,
        problems,
        health,
        ..
    } = links;
    Page {
        title: "Acclaim API".to_owned(),
        main: format!(
            r#"<h1>Acclaim API <small>{version}</small></h1>
<p>Acclaim is a self-hosted social posting service: people sign up, publish posts and vote on them. This is its HTTP API, which answers programs with JSON.</p>
<ul>
{frontend}<li><a href="{docs}">API documentation</a>: every request, to read and to try</li>
<li><a href="{openapi}">OpenAPI document</a>: the same for tools, such as client generators</li>
<li><a href="{problems}">Problem types</a>: the meaning of every error, and what to do about it</li>
<li><a href="{health}">Health</a>: whether the service can handle requests</li>
</ul>"#
        ),
    }
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
