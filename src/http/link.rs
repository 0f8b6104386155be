//! The `Link` header of lists (RFC 8288).

use std::fmt::Display;

use actix_web::{
    HttpRequest,
    http::header::{HeaderName, HeaderValue},
};
use entity::values::Invalid;

use super::input;

/// The total number of items in a list, across all pages.
pub const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// The violation of a `cursor` that cannot be parsed.
#[must_use]
pub fn invalid_cursor() -> Invalid {
    Invalid::new(
        "format",
        "must be a cursor from the `Link` header of an earlier response",
    )
}

/// The value of `Link`, with the relations `next` and `prev`. Each target is the URI of `request`
/// with another `cursor` and without `skip`. Returns `None` if there is no other page.
#[must_use]
pub fn link(
    request: &HttpRequest,
    next: Option<impl Display>,
    prev: Option<impl Display>,
) -> Option<HeaderValue> {
    let link = |cursor: String, relation| {
        let uri = with_parameter(request, "cursor", cursor, &["skip"])?;
        Some(format!(r#"<{uri}>; rel="{relation}""#))
    };
    let next = next.and_then(|cursor| link(cursor.to_string(), "next"));
    let prev = prev.and_then(|cursor| link(cursor.to_string(), "prev"));
    let links: Vec<String> = [next, prev].into_iter().flatten().collect();
    if links.is_empty() {
        return None;
    }
    HeaderValue::try_from(links.join(", ")).ok()
}

/// `Link` with the relation `next`: the URI of `request` with another value of `name` and without the
/// parameters of `others`.
#[must_use]
pub fn next(
    request: &HttpRequest,
    name: &str,
    value: impl Display,
    others: &[&str],
) -> Option<HeaderValue> {
    let uri = with_parameter(request, name, value.to_string(), others)?;
    HeaderValue::try_from(format!(r#"<{uri}>; rel="next""#)).ok()
}

fn with_parameter(
    request: &HttpRequest,
    name: &str,
    value: String,
    others: &[&str],
) -> Option<String> {
    let mut parameters = input::pairs(request.query_string().as_bytes()).unwrap_or_default();
    parameters.retain(|(other, _)| other != name && !others.contains(&other.as_str()));
    parameters.push((name.to_owned(), value));
    let query = serde_urlencoded::to_string(parameters).ok()?;
    Some(format!("{}?{query}", request.path()))
}
