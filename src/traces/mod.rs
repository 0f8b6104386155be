//! Traces of requests, sent to a collector by OTLP. `OTEL_EXPORTER_OTLP_ENDPOINT` turns them on.
//!
//! The span of a request is in the OpenTelemetry context while the request is worked on. What takes time
//! within it begins a [`child`]. Work outside a request, such as that of jobs, has no spans.

mod exporter;
mod parent;

use std::sync::OnceLock;

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, Span as _, SpanBuilder, SpanContext, Status, TraceContextExt, Tracer},
};
use opentelemetry_sdk::trace::{SdkTracer, Span};

pub use exporter::Exporter;
pub use parent::parent;

/// Unset if traces are off. Global, as the log is: otherwise each statement would need it as an argument.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// The span of a part of a request. It ends when it is dropped. Empty if the request is not traced.
#[derive(Default)]
#[must_use = "a span ends when it is dropped"]
pub struct Child(Option<Box<Span>>);

impl Child {
    /// Marks the span as failed. `error_type` must not be the text of an error, which may have private
    /// data.
    pub fn fail(&mut self, error_type: impl FnOnce() -> String) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new("error.type", error_type()));
            span.set_status(Status::error(""));
        }
    }
}

/// Begins the span of a request, a child of the span in the caller, and returns its context. `None` if
/// traces are off: then neither function is called.
pub fn request(
    caller: impl FnOnce() -> Option<SpanContext>,
    describe: impl FnOnce() -> SpanBuilder,
) -> Option<Context> {
    let tracer = TRACER.get()?;
    let caller = caller().map(|caller| Context::new().with_remote_span_context(caller));
    let span = tracer.build_with_context(describe(), &caller.unwrap_or_default());
    Some(Context::new().with_span(span))
}

/// Begins the span of a part of the current request. `describe` is only called if the request is traced.
pub fn child(describe: impl FnOnce() -> SpanBuilder) -> Child {
    let Some(tracer) = TRACER.get() else {
        return Child(None);
    };
    Child(Context::map_current(|context| {
        is_traced(context).then(|| Box::new(tracer.build_with_context(describe(), context)))
    }))
}

/// The context of the current request, for work that another task does for it. `None` if the request is
/// not traced.
#[must_use]
pub fn current() -> Option<Context> {
    TRACER.get()?;
    Context::map_current(|context| is_traced(context).then(|| context.clone()))
}

/// Begins the span of work for the requests with these contexts, and returns its context. A span has one
/// parent: it is a child of the first, with links to the others. `None` if there is no context.
pub fn shared<'a>(
    mut contexts: impl Iterator<Item = &'a Context>,
    describe: impl FnOnce() -> SpanBuilder,
) -> Option<Context> {
    let tracer = TRACER.get()?;
    let first = contexts.next()?;
    let links = contexts.map(|context| {
        let of_request = context.span().span_context().clone();
        Link::new(of_request, Vec::new(), 0)
    });
    let span = describe().with_links(links.collect());
    let span = tracer.build_with_context(span, first);
    Some(first.with_span(span))
}

/// Whether the sampler has decided that the request of `context` has a trace.
#[must_use]
pub fn is_traced(context: &Context) -> bool {
    context.span().span_context().is_sampled()
}
