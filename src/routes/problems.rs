//! `/problems`: the pages of problem types.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        Accept, CONTENT_SECURITY_POLICY, Header, HeaderValue, Quality, QualityItem, VARY,
    },
    web::Path,
};

use crate::http::{
    Problem, Route,
    problem::{ProblemPage, ProblemType, types::NOT_FOUND},
    route::route,
};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(problem).fails_with(&[NOT_FOUND])]
}

/// Read the page of a problem type
///
/// The `type` of every problem is the path of such a page: HTML for people, JSON for programs.
#[utoipa::path(
    get, path = "/problems/{slug}", tag = "service", operation_id = "getProblemType",
    params(("slug" = String, Path, description = "The end of a problem's `type`", example = "not-found")),
    responses(
        (status = 200, description = "The meaning, the remedy and an example", content(
            (ProblemPage = "application/json"),
            (String = "text/html"),
        ), headers(("Vary" = String, description = "`Accept`"))),
    ),
)]
async fn problem(slug: Path<String>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let problem_type = ProblemType::find(&slug).ok_or_else(Problem::no_route)?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((VARY, HeaderValue::from_static("Accept")));
    // An unreadable header counts as none.
    let accept = Accept::parse(&request).map_or_else(|_| Vec::new(), |accept| accept.0);
    if quality(&accept, &mime::TEXT_HTML) > quality(&accept, &mime::APPLICATION_JSON) {
        answer.insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'",
        ));
        return Ok(answer
            .content_type("text/html; charset=utf-8")
            .body(html(&problem_type.page())));
    }
    Ok(answer.json(problem_type.page()))
}

/// The quality of `media` in `accept` (RFC 9110, section 12.5.1): its most specific range counts.
fn quality(accept: &[QualityItem<mime::Mime>], media: &mime::Mime) -> Quality {
    let specificity = |range: &mime::Mime| match (range.type_(), range.subtype()) {
        (mime::STAR, mime::STAR) => Some(0),
        (kind, mime::STAR) if kind == media.type_() => Some(1),
        (kind, subtype) if kind == media.type_() && subtype == media.subtype() => Some(2),
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
        [page.title, page.meaning, page.advice, &example].map(escaped);
    let status = page.status;
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif }}
body {{ max-width: 42rem; margin: 3rem auto; padding: 0 1rem }}
pre {{ padding: 1rem; border: 1px solid; border-radius: .5rem; overflow-x: auto }}
</style>
<h1>{title} <small>({status})</small></h1>
<p>{meaning}</p>
<h2>What to do</h2>
<p>{advice}</p>
<h2>An example</h2>
<pre tabindex="0">{example}</pre>
<p><a href="/docs">The API</a></p>
</html>
"#
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
