//! `/docs` (Swagger UI) and `/openapi.json`

use std::sync::{Arc, LazyLock};

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ContentEncoding},
    web::{self, Data, Json, ServiceConfig},
};
use utoipa::openapi;
use utoipa_swagger_ui::Config;

use super::openapi::document;
use crate::http::{Problem, Route, route::route};

/// What Swagger UI needs: its own files, images inside its style sheet, and calls of this service.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes() -> Vec<Route> {
    vec![route!(json), route!(page).also_at("/docs/{file}")]
}

/// Adds the configuration of Swagger UI to the server.
pub(super) fn configure(config: &mut ServiceConfig) {
    let swagger = Config::from("/openapi.json")
        // By default the page sends the document to an external validator.
        .validator_url("none")
        // Hides the bar for loading other documents.
        .use_base_layout();
    config.app_data(Data::new(swagger));
}

/// Get the OpenAPI document
#[utoipa::path(
    get, path = "/openapi.json", tag = "service", operation_id = "getOpenApi",
    responses((status = 200, description = "The OpenAPI 3.1 document", body = Object)),
)]
async fn json() -> Json<&'static openapi::OpenApi> {
    /// Built on the first request, because many servers never need it.
    static DOCUMENT: LazyLock<openapi::OpenApi> = LazyLock::new(document);
    Json(&DOCUMENT)
}

/// Open Swagger UI
#[utoipa::path(
    get, path = "/docs", tag = "service", operation_id = "getDocs",
    responses((status = 200, description = "The Swagger UI page", body = String, content_type = "text/html", headers(("Content-Security-Policy" = String, description = "Allows only resources of the service, and no frames")))),
)]
async fn page(
    file: Option<web::Path<String>>,
    swagger: Data<Config<'static>>,
) -> Result<HttpResponse, Problem> {
    let file = file.map_or_else(|| "index.html".to_owned(), web::Path::into_inner);
    let asset = utoipa_swagger_ui::serve(&file, Arc::clone(&swagger))
        .map_err(|error| Problem::internal(error.to_string()))?
        .ok_or_else(Problem::no_route)?;
    let mut response = HttpResponse::Ok();
    response.content_type(asset.content_type);
    response.insert_header((CONTENT_SECURITY_POLICY, CONTENT_POLICY));
    if asset.gzpipped {
        response.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
    }
    if file == "index.html" {
        // The page is served at `/docs` and `/docs/`. Its links are relative to `/docs/`.
        let html = String::from_utf8_lossy(&asset.bytes)
            .replacen("<head>", r#"<head><base href="/docs/">"#, 1)
            .replacen("<title>Swagger UI</title>", "<title>Acclaim API</title>", 1);
        return Ok(response.body(html));
    }
    Ok(response.body(asset.bytes.into_owned()))
}
