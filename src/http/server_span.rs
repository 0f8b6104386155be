//! The span of a request, by the OpenTelemetry semantic conventions for HTTP servers.

use actix_web::{
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
};
use opentelemetry::{
    Array, Context, KeyValue, StringValue, Value,
    context::FutureExt,
    trace::{SpanBuilder, SpanKind, Status, TraceContextExt, TraceId},
};

use super::{Problem, request_id::RequestId};
use crate::{metrics::OTHER, traces};

/// The span of a request. It ends when it is dropped. It has the route in place of the path, which may
/// contain private data, such as the external id of a draft.
pub struct ServerSpan(Context);

impl ServerSpan {
    /// Begins the span of `request`, in the trace that its header `traceparent` names. `None` if traces
    /// are off.
    pub fn begin(request: &ServiceRequest) -> Option<Self> {
        let caller = || {
            let mut values = request.headers().get_all("traceparent");
            let value = values.next().filter(|_| values.next().is_none())?;
            traces::parent(value.to_str().ok()?)
        };
        let describe = || {
            let (name, method) = names(request.method());
            SpanBuilder::from_name(name)
                .with_kind(SpanKind::Server)
                .with_attributes([
                    KeyValue::new("http.request.method", method),
                    // TLS ends at a proxy.
                    KeyValue::new("url.scheme", "http"),
                ])
        };
        traces::request(caller, describe).map(Self)
    }

    /// The id of its trace, also if the trace is not recorded.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.0.span().span_context().trace_id()
    }

    /// Runs `work` so that further spans become children of `span`.
    pub async fn around<T>(span: Option<&Self>, work: impl Future<Output = T>) -> T {
        match span.filter(|span| traces::is_traced(&span.0)) {
            Some(span) => work.with_context(span.0.clone()).await,
            None => work.await,
        }
    }

    /// Adds what `response` tells to the span.
    pub fn describe(&self, response: &ServiceResponse<BoxBody>, id: &RequestId) {
        if !traces::is_traced(&self.0) {
            return;
        }
        let (request, status) = (response.request(), response.status());
        let span = self.0.span();
        let id = Array::String(vec![StringValue::from(id.0.clone())]);
        span.set_attributes([
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
            KeyValue::new("http.response.header.x-request-id", Value::Array(id)),
        ]);
        if let Some(route) = request.match_pattern() {
            span.update_name(format!("{} {route}", names(request.method()).0));
            span.set_attribute(KeyValue::new("http.route", route));
        }
        if status.is_server_error() {
            let problem = Problem::type_of(response).map_or(OTHER, |problem| problem.slug);
            span.set_attribute(KeyValue::new("error.type", problem));
            span.set_status(Status::error(""));
        }
    }
}

impl Drop for ServerSpan {
    fn drop(&mut self) {
        self.0.span().end();
    }
}

/// The method for the name of a span, and as an attribute.
fn names(method: &Method) -> (&'static str, &'static str) {
    let known = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
    ];
    let known = known.into_iter().find(|known| *known == method.as_str());
    known.map_or(("HTTP", "_OTHER"), |known| (known, known))
}
