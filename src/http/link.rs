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
    let mut parameters = input::pairs(request.query_string().as_bytes()).unwrap_or_default();
    parameters.retain(|(name, _)| name != "cursor" && name != "skip");
    let link = |cursor: String, relation| {
        let mut parameters = parameters.clone();
        parameters.push(("cursor".to_owned(), cursor));
        let query = serde_urlencoded::to_string(parameters).ok()?;
        Some(format!(r#"<{}?{query}>; rel="{relation}""#, request.path()))
    };
    let next = next.and_then(|cursor| link(cursor.to_string(), "next"));
    let prev = prev.and_then(|cursor| link(cursor.to_string(), "prev"));
    let links: Vec<String> = [next, prev].into_iter().flatten().collect();
    if links.is_empty() {
        return None;
    }
    HeaderValue::try_from(links.join(", ")).ok()
}
