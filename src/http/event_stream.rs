//! Server-Sent Events (HTML, section 9.2).

use actix_web::{
    body::BoxBody,
    dev::ServiceResponse,
    http::header::{CONTENT_TYPE, HeaderName},
};

/// The media type of a stream of events.
pub const EVENT_STREAM: &str = "text/event-stream";
/// The position of the last event that the client has.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Whether `response` is a stream of events, which has no last byte.
pub(super) fn is_event_stream(response: &ServiceResponse<BoxBody>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|it| it.as_bytes() == EVENT_STREAM.as_bytes())
}
