//! `/docs` (Swagger UI) and `/openapi.json`

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_ENCODING, ContentEncoding},
    web::{self, Data, Json, ServiceConfig},
};
use utoipa::{OpenApi, openapi};
use utoipa_swagger_ui::Config;

use super::openapi::document;
use crate::http::{Problem, route::get};

#[derive(OpenApi)]
#[openapi(paths(page, json))]
pub(super) struct Doc;

pub(super) fn configure(config: &mut ServiceConfig) {
    let swagger = Config::from("/openapi.json")
        // Else the page asks a server of somebody else's whether the document is valid.
        .validator_url("none")
        // Without the bar to load other documents.
        .use_base_layout();
    config
        .app_data(Data::new(document()))
        .app_data(Data::new(swagger))
        .service(get(web::resource("/openapi.json"), json))
        .service(get(web::resource(["/docs", "/docs/{file}"]), page));
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", tag = "service", operation_id = "getOpenApi",
    security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
async fn json(document: Data<openapi::OpenApi>) -> Json<Data<openapi::OpenApi>> {
    Json(document)
}

/// Swagger UI
#[utoipa::path(
    get, path = "/docs", tag = "service", operation_id = "getDocs",
    security(()),
    responses((status = 200, description = "A page to read and to try", body = String, content_type = "text/html")),
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
        // The page is at `/docs` and at `/docs/`; its files are in `/docs/` seen from either.
        let html = String::from_utf8_lossy(&served.bytes)
            .replacen("<head>", r#"<head><base href="/docs/">"#, 1)
            .replacen("<title>Swagger UI</title>", "<title>Acclaim API</title>", 1);
        return Ok(answer.body(html));
    }
    Ok(answer.body(served.bytes.into_owned()))
}
