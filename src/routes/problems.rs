//! `/problems`: the documentation of problem types.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Path};

use crate::http::{
    Problem, Route,
    page::{Page, escape_html, page_or_json},
    problem::{ProblemPage, ProblemType, types::NOT_FOUND},
    route::route,
};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(problems), route!(problem).fails_with(&[NOT_FOUND])]
}

/// List the problem types
///
/// By status, and with the general type of a status before the specific ones. The response is HTML or
/// JSON, as `Accept` prefers.
#[utoipa::path(
    get, path = "/problems", tag = "service", operation_id = "listProblemTypes",
    responses(
        (status = 200, description = "The documentation of every problem type", content(
            (Vec<ProblemPage> = "application/json"),
            (String = "text/html"),
        ), headers(
            ("Vary" = String, description = "`Accept`"),
            ("Content-Security-Policy" = String, description = "Allows only the style sheet of the page, and no frames"),
        )),
    ),
)]
async fn problems(request: HttpRequest) -> HttpResponse {
    let mut types: Vec<&ProblemType> = ProblemType::all().collect();
    types.sort_by_key(|problem_type| problem_type.status);
    let pages: Vec<ProblemPage> = types.into_iter().map(ProblemType::page).collect();
    page_or_json(&request, || index(&pages), &pages)
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
    let page = problem_type.page();
    Ok(page_or_json(&request, || document(&page), &page))
}

/// The page of all problem types, which must be sorted by status.
fn index(pages: &[ProblemPage]) -> Page {
    let statuses = pages.chunk_by(|one, other| one.status == other.status);
    let sections: Vec<String> = statuses.map(section).collect();
    let sections = sections.join("\n");
    Page {
        title: "Problem types – Acclaim".to_owned(),
        main: format!(
            "<h1>Problem types</h1>\n<p>Every error response has problem details: <code>type</code> is the path of one of these pages, and <code>detail</code> says what was wrong in this case.</p>\n{sections}"
        ),
    }
}

/// The section of the problem types of one status.
fn section(pages: &[ProblemPage]) -> String {
    let status = pages.first().map_or(0, |page| page.status);
    let general = StatusCode::from_u16(status).ok();
    let general = general.and_then(ProblemType::general);
    let name = escape_html(general.map_or("", |general| general.title));
    let entries: Vec<String> = pages
        .iter()
        .map(|page| {
            let [uri, title, meaning] =
                [page.uri.as_str(), page.title, page.meaning].map(escape_html);
            format!("<dt><a href=\"{uri}\">{title}</a></dt>\n<dd>{meaning}</dd>")
        })
        .collect();
    let entries = entries.join("\n");
    format!("<h2 id=\"{status}\">{status} {name}</h2>\n<dl>\n{entries}\n</dl>")
}

/// The page of one problem type.
fn document(page: &ProblemPage) -> Page {
    let example = serde_json::to_string_pretty(&page.example).unwrap_or_default();
    let [title, meaning, advice, example] =
        [page.title, page.meaning, page.advice, &example].map(escape_html);
    let status = page.status;
    Page {
        title: format!("{} – Acclaim", page.title),
        main: format!(
            r#"<h1>{title} <small>({status})</small></h1>
<p>{meaning}</p>
<h2>What to do</h2>
<p>{advice}</p>
<h2>Example</h2>
<pre tabindex="0">{example}</pre>"#
        ),
    }
}
