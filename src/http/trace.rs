//! Logs one line per request.

use std::time::Instant;

use actix_web::{Error, body::BoxBody, dev::ServiceResponse};
use entity::values::UserId;
use tracing::Span;

use super::{Problem, RequestRecord};

/// The span of a request, for the log. It adds the request id, and the trace id if traces are on, to every log
/// line until the response begins.
pub(super) fn request_span(record: &RequestRecord) -> Span {
    let trace_id = record.trace_id.map(tracing::field::display);
    // At the highest level, no log filter drops the span and its id.
    tracing::error_span!("request", request_id = record.id.0.as_str(), trace_id)
}

/// Logs a request that was answered by `outcome`: method, route pattern, status, milliseconds and user id.
///
/// Paths, query strings and bodies are never logged, because they may contain private data.
pub(super) fn log_request(
    record: &RequestRecord,
    outcome: &Result<ServiceResponse<BoxBody>, Error>,
) {
    let response = match outcome {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a middleware failed");
            return;
        }
    };
    let problem = response.response().error().and_then(|e| e.as_error());
    if let Some(cause) = problem.and_then(Problem::cause) {
        tracing::error!(cause, "request failed");
    }
    let request = response.request();
    tracing::info!(
        method = %request.method(),
        route = request.match_pattern().as_deref().unwrap_or("none"),
        status = response.status().as_u16(),
        milliseconds = milliseconds(record.began),
        user_id = record.user.get().map(UserId::get),
        "request"
    );
}

/// The time since `began`, rounded to microseconds.
fn milliseconds(began: Instant) -> f64 {
    (began.elapsed().as_secs_f64() * 1e6).round() / 1e3
}
