//! Logs one line per request.

use std::time::Instant;

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
};
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;

use super::{Problem, authentication::LoggedUser, request_id::RequestId};

/// Adds the request id to every log line of a request, and logs the request itself: method, route
/// pattern, status, milliseconds and user id.
///
/// Paths, query strings and bodies are never logged, because they may contain private data.
pub struct RequestLog;

struct StartedAt(Instant);

impl RootSpanBuilder for RequestLog {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let mut extensions = request.extensions_mut();
        extensions.insert(StartedAt(Instant::now()));
        let id = extensions.get::<RequestId>().map_or("", |id| id.0.as_str());
        // At the highest level, no log filter drops the span and its id.
        tracing::error_span!("request", request_id = id)
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
        let extensions = request.extensions();
        let milliseconds = extensions
            .get::<StartedAt>()
            .map_or(0.0, |started| started.0.elapsed().as_secs_f64() * 1e3);
        tracing::info!(
            method = %request.method(),
            route = request.match_pattern().as_deref().unwrap_or("none"),
            status = response.status().as_u16(),
            milliseconds = (milliseconds * 1e3).round() / 1e3,
            user_id = extensions.get::<LoggedUser>().map(|user| user.0.get()),
            "request"
        );
    }
}
