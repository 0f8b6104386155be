//! Logs one line per request.

use std::time::Instant;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
};
use entity::values::UserId;
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;

use super::{Problem, RequestRecord};

/// Adds the request id, and the trace id if traces are on, to every log line of a request, and logs the
/// request itself: method, route pattern, status, milliseconds and user id.
///
/// Paths, query strings and bodies are never logged, because they may contain private data.
pub struct RequestLog;

impl RootSpanBuilder for RequestLog {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let record = RequestRecord::of(request.request());
        let id = record.as_ref().map_or("", |record| record.id.0.as_str());
        let trace_id = record.as_ref().and_then(|record| record.trace_id);
        // At the highest level, no log filter drops the span and its id.
        tracing::error_span!("request", request_id = id, trace_id = trace_id.map(display))
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let _entered = span.entered();
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
        let record = RequestRecord::of(request);
        tracing::info!(
            method = %request.method(),
            route = request.match_pattern().as_deref().unwrap_or("none"),
            status = response.status().as_u16(),
            milliseconds = record.as_ref().map(|record| milliseconds(record.began)),
            user_id = record.and_then(|record| record.user.get()).map(UserId::get),
            "request"
        );
    }
}

/// The time since `began`, rounded to microseconds.
fn milliseconds(began: Instant) -> f64 {
    (began.elapsed().as_secs_f64() * 1e6).round() / 1e3
}
