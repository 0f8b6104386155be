//! Documents of the service that a browser reads as an HTML page and a program as JSON: the choice
//! between the two, and the layout and the style sheet of the pages.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        Accept, CONTENT_SECURITY_POLICY, Header, HeaderValue, Quality, QualityItem, VARY,
    },
};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;

/// The style sheet of every page.
const STYLE: &str = "
:root {
  color-scheme: light dark;
  --paper: #f8f7f4; --card: #fff; --ink: #1e1c19; --muted: #625d55; --line: #e3dfd7; --accent: #0f6b5c;
  font: 1rem/1.6 system-ui, sans-serif
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #161513; --card: #1f1d1b; --ink: #ece8e1; --muted: #aaa399; --line: #35322e; --accent: #62c9b3 }
}
body { max-width: 42rem; margin: 0 auto; padding: 0 1rem 3rem; background: var(--paper); color: var(--ink); overflow-wrap: anywhere }
nav { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; padding: 1rem 0; border-bottom: 1px solid var(--line) }
a { color: var(--accent); text-underline-offset: .2em }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 2rem 0 1rem }
h2 { font-size: 1.1875rem; line-height: 1.3; margin: 2rem 0 .5rem }
small { color: var(--muted); font-weight: normal }
ul { padding: 0; list-style: none }
li, dt { margin-top: .75rem }
dd { margin: 0 }
pre { padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; overflow-x: auto }
";

/// Allows [`STYLE`] and nothing else.
static CONTENT_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The parts of a page that are its own.
pub struct Page {
    /// The title of the document, as text.
    pub title: String,
    /// The content of `<main>`, as HTML. Texts in it must be escaped with [`escape_html`].
    pub main: String,
}

/// Answers with `page` if `Accept` prefers HTML, otherwise with `json`.
pub fn page_or_json(
    request: &HttpRequest,
    page: impl FnOnce() -> Page,
    json: impl Serialize,
) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((VARY, HeaderValue::from_static("Accept")));
    response.insert_header((CONTENT_SECURITY_POLICY, CONTENT_POLICY.as_str()));
    if prefers(request, &mime::TEXT_HTML) {
        response
            .content_type("text/html; charset=utf-8")
            .body(html(&page()))
    } else {
        response.json(json)
    }
}

/// Whether `Accept` prefers `media_type` to JSON.
#[must_use]
pub fn prefers(request: &HttpRequest, media_type: &mime::Mime) -> bool {
    // A malformed header is ignored.
    let accept = Accept::parse(request).map_or_else(|_| Vec::new(), |accept| accept.0);
    quality(&accept, media_type) > quality(&accept, &mime::APPLICATION_JSON)
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

fn html(page: &Page) -> String {
    let title = escape_html(&page.title);
    let main = &page.main;
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<header><nav><a href="/">Acclaim</a> <a href="/docs">API documentation</a> <a href="/problems">Problem types</a></nav></header>
<main>
{main}
</main>
</body>
</html>
"#
    )
}

/// `text` for the content of an element, or for an attribute in double quotes.
#[must_use]
pub fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
