//! `/docs` (Swagger UI) and `/openapi.json`

use std::sync::{Arc, LazyLock};

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_ENCODING, ContentEncoding},
    web::{self, Data, Json, ServiceConfig},
};
use utoipa::openapi;
use utoipa_swagger_ui::Config;

use super::openapi::document;
use crate::http::{Problem, Route, route::route};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(json), route!(page).also_at("/docs/{file}")]
}

/// Gives the handlers the configuration of the page.
pub(super) fn share(config: &mut ServiceConfig) {
    let swagger = Config::from("/openapi.json")
        // The page would send the document to a validator elsewhere.
        .validator_url("none")
        // Hides the bar that loads other documents.
        .use_base_layout();
    config.app_data(Data::new(swagger));
}

/// Read this document
#[utoipa::path(
    get, path = "/openapi.json", tag = "service", operation_id = "getOpenApi",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
async fn json() -> Json<&'static openapi::OpenApi> {
    /// Built for the first request: most servers are never asked for it.
    static DOCUMENT: LazyLock<openapi::OpenApi> = LazyLock::new(document);
    Json(&DOCUMENT)
}

/// Open Swagger UI
#[utoipa::path(
    get, path = "/docs", tag = "service", operation_id = "getDocs",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
async fn page(
    file: Option<web::Path<String>>,
    swagger: Data<Config<'static>>,
) -> Result<HttpResponse, Problem> {
    let file = file.map_or_else(|| "index.html".to_owned(), web::Path::into_inner);
    let served = utoipa_swagger_ui::serve(&file, Arc::clone(&swagger))
        .map_err(|error| Problem::internal(error.to_string()))?
        .ok_or_else(Problem::no_route)?;
    let mut answer = HttpResponse::Ok();
    answer.content_type(served.content_type);
    if served.gzpipped {
        answer.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
    }
    if file == "index.html" {
        // The page answers at `/docs` and at `/docs/`; its links are relative to `/docs/`.
        let html = String::from_utf8_lossy(&served.bytes)
            .replacen("<head>", r#"<head><base href="/docs/">"#, 1)
            .replacen("<title>Swagger UI</title>", "<title>Acclaim API</title>", 1);
        return Ok(answer.body(html));
    }
    Ok(answer.body(served.bytes.into_owned()))
}
