//! `X-Request-Id`.

use actix_web::{
    dev::ServiceRequest,
    http::header::{HeaderName, HeaderValue},
};
use uuid::Uuid;

/// The header in which a request id comes and goes.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is called in its answer and in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    /// The client's, if it is 1 to 64 of `[A-Za-z0-9._-]`; a new `UUIDv7` otherwise.
    #[must_use]
    pub fn of(request: &ServiceRequest) -> Self {
        let sent = request
            .headers()
            .get(X_REQUEST_ID)
            .and_then(|value| value.to_str().ok());
        Self(match sent {
            Some(sent) if is_valid(sent) => sent.to_owned(),
            _ => Uuid::now_v7().to_string(),
        })
    }

    /// As a header's value.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

fn is_valid(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}
