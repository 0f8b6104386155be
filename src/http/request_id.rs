//! The `X-Request-Id` header.

use actix_web::{
    dev::ServiceRequest,
    http::header::{HeaderName, HeaderValue},
};
use uuid::Uuid;

/// The request id, in requests and responses.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Identifies a request in its response and in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    /// The client's request id if it is valid: 1 to 64 characters of `[A-Za-z0-9._-]`. Otherwise
    /// a new `UUIDv7`.
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

    /// The value of the `X-Request-Id` header.
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
