//! `/docs` (Swagger UI) and `/openapi.json`

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_ENCODING, ContentEncoding},
    web::{self, Data, Json, ServiceConfig},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{Flow, Http, HttpAuthScheme, OAuth2, Password, Scopes, SecurityScheme},
    },
};
use utoipa_swagger_ui::Config;

use crate::http::{Problem, route::get};

/// The OpenAPI document.
#[must_use]
pub fn document() -> openapi::OpenApi {
    let mut document = Document::openapi();
    for part in [
        super::users::Doc::openapi(),
        super::login::Doc::openapi(),
        super::posts::Doc::openapi(),
        super::votes::Doc::openapi(),
        super::service::Doc::openapi(),
    ] {
        document.merge(part);
    }
    document
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Acclaim",
        description = "Sign up, sign in, publish posts and vote on them. Every error is problem details (RFC 9457).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/")),
    tags(
        (name = "users", description = "Sign up, and who is who"),
        (name = "sign-in", description = "The token endpoint of OAuth 2.0"),
        (name = "posts", description = "Write, read and list posts and drafts"),
        (name = "votes", description = "Vote, and take a vote back"),
        (name = "service", description = "How the service is"),
    ),
    modifiers(&Security),
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let password = Password::new("/login", Scopes::new());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "password",
            SecurityScheme::OAuth2(OAuth2::new([Flow::Password(password)])),
        );
        components.add_security_scheme(
            "bearer",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
    }
}

pub(super) fn configure(config: &mut ServiceConfig) {
    let swagger = Config::from("/openapi.json")
        // Else the page asks a server of somebody else's whether the document is valid.
        .validator_url("none")
        .persist_authorization(true);
    config
        .app_data(Data::new(document()))
        .app_data(Data::new(swagger))
        .service(get(web::resource("/openapi.json"), json))
        .service(get(web::resource(["/docs", "/docs/{file}"]), page));
}

async fn json(document: Data<openapi::OpenApi>) -> Json<Data<openapi::OpenApi>> {
    Json(document)
}

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
