//! `/problems`: the documentation of problem types.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        Accept, CONTENT_SECURITY_POLICY, Header, HeaderValue, Quality, QualityItem, VARY,
    },
    web::Path,
};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::http::{
    Problem, Route,
    problem::{ProblemPage, ProblemType, types::NOT_FOUND},
    route::route,
};

/// The style sheet of a page.
const STYLE: &str = "
:root { color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif }
body { max-width: 42rem; margin: 3rem auto; padding: 0 1rem }
pre { padding: 1rem; border: 1px solid; border-radius: .5rem; overflow-x: auto }
";

/// Allows [`STYLE`] and nothing else.
static CONTENT_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

pub(super) fn routes() -> Vec<Route> {
    vec![route!(problem).fails_with(&[NOT_FOUND])]
}

/// Read the documentation of a problem type
///
/// `type` in problem details is such a path. The response is HTML or JSON, as `Accept` prefers.
#[utoipa::path(
    get, path = "/problems/{slug}", tag = "service", operation_id = "getProblemType",
    params(("slug" = String, Path, description = "The last segment of `type`", example = "not-found")),
    responses(
        (status = 200, description = "The meaning, the remedy and an example", content(
            (ProblemPage = "application/json"),
            (String = "text/html"),
        ), headers(
            ("Vary" = String, description = "`Accept`"),
            ("Content-Security-Policy" = String, description = "Allows only the style sheet of the page, and no frames"),
        )),
    ),
)]
async fn problem(slug: Path<String>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let problem_type = ProblemType::find(&slug).ok_or_else(Problem::no_route)?;
    let mut response = HttpResponse::Ok();
    response.insert_header((VARY, HeaderValue::from_static("Accept")));
    // A malformed header is ignored.
    let accept = Accept::parse(&request).map_or_else(|_| Vec::new(), |accept| accept.0);
    response.insert_header((CONTENT_SECURITY_POLICY, CONTENT_POLICY.as_str()));
    if quality(&accept, &mime::TEXT_HTML) > quality(&accept, &mime::APPLICATION_JSON) {
        return Ok(response
            .content_type("text/html; charset=utf-8")
            .body(html(&problem_type.page())));
    }
    Ok(response.json(problem_type.page()))
}

/// The quality of `media_type` in `accept`, from its most specific range (RFC 9110, section 12.5.1).
fn quality(accept: &[QualityItem<mime::Mime>], media_type: &mime::Mime) -> Quality {
    let specificity = |range: &mime::Mime| match (range.type_(), range.subtype()) {
        (mime::STAR, mime::STAR) => Some(0),
        (main, mime::STAR) if main == media_type.type_() => Some(1),
        (main, sub) if main == media_type.type_() && sub == media_type.subtype() => Some(2),
        _ => None,
    };
    accept
        .iter()
        .filter_map(|range| Some((specificity(&range.item)?, range.quality)))
        .max_by_key(|(specificity, _)| *specificity)
        .map_or(Quality::ZERO, |(_, quality)| quality)
}

fn html(page: &ProblemPage) -> String {
    let example = serde_json::to_string_pretty(&page.example).unwrap_or_default();
    let [title, meaning, advice, example] =
        [page.title, page.meaning, page.advice, &example].map(escape_html);
    let status = page.status;
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{STYLE}</style>
<h1>{title} <small>({status})</small></h1>
<p>{meaning}</p>
<h2>What to do</h2>
<p>{advice}</p>
<h2>Example</h2>
<pre tabindex="0">{example}</pre>
<p><a href="/docs">API documentation</a></p>
</html>
"#
    )
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
