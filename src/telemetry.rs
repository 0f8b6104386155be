//! The operator's log, on standard error.

use std::{
    io::IsTerminal,
    sync::atomic::{AtomicBool, Ordering},
};

use tracing_subscriber::{
    EnvFilter, Layer, filter::dynamic_filter_fn, fmt, layer::SubscriberExt, registry,
    util::SubscriberInitExt,
};

use crate::config::LogFormat;

static LISTENER_CLOSED: AtomicBool = AtomicBool::new(false);

/// Starts the log. Called once, before the first line of it.
///
/// A second call in one process changes nothing.
pub fn start(filter: EnvFilter, format: LogFormat) {
    let lines = fmt::layer()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    let lines = lines.with_filter(dynamic_filter_fn(|line, _| {
        line.target() != "actix_server::accept" || !LISTENER_CLOSED.load(Ordering::Relaxed)
    }));
    let _ = registry().with(filter).with(lines).try_init();
}

/// From now on that nothing can be accepted is as it should be, and no line of the log.
pub fn listener_closed() {
    LISTENER_CLOSED.store(true, Ordering::Relaxed);
}
