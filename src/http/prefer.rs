//! `Prefer: return=minimal` (RFC 7240, section 4.2).

use actix_web::{
    HttpRequest,
    body::BoxBody,
    dev::ServiceResponse,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName, HeaderValue},
    },
};

/// Preferences of the client, which the service may ignore.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The preferences that the service applied.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A response has this extension if its body has what the client cannot read later, and must be sent.
#[derive(Clone, Copy, Debug)]
pub struct BodyRequired;

/// Removes the body of a successful `response` if its request prefers that: a 200 becomes a 204, and a
/// 201 stays one.
#[must_use]
pub fn apply(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = match response.status() {
        StatusCode::OK => StatusCode::NO_CONTENT,
        StatusCode::CREATED => StatusCode::CREATED,
        _ => return response,
    };
    let is_required = response.response().extensions().contains::<BodyRequired>();
    if is_required || !prefers_minimal(response.request()) {
        return response;
    }
    response.map_body(|head, _| {
        head.status = status;
        head.headers.remove(CONTENT_TYPE);
        let applied = HeaderValue::from_static("return=minimal");
        head.headers.insert(PREFERENCE_APPLIED, applied);
        BoxBody::new(())
    })
}

/// Of several `return` preferences the first counts (RFC 7240, section 2).
fn prefers_minimal(request: &HttpRequest) -> bool {
    let headers = request.headers().get_all(PREFER);
    let texts = headers.filter_map(|value| value.to_str().ok());
    let mut values = texts
        .flat_map(|text| text.split(','))
        .filter_map(|preference| {
            let (preference, _parameters) = preference.split_once(';').unwrap_or((preference, ""));
            let (name, value) = preference.split_once('=')?;
            let is_return = name.trim().eq_ignore_ascii_case("return");
            is_return.then(|| value.trim().trim_matches('"'))
        });
    values.next() == Some("minimal")
}
