//! The log of the service, on standard error.

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

/// Installs the global log subscriber. Later calls in the same process have no effect.
pub fn start(filter: EnvFilter, format: LogFormat) {
    let layer = fmt::layer()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let layer = match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    let layer = layer.with_filter(dynamic_filter_fn(|metadata, _| {
        metadata.target() != "actix_server::accept" || !LISTENER_CLOSED.load(Ordering::Relaxed)
    }));
    let _ = registry().with(filter).with(layer).try_init();
}

/// Silences the acceptor's log lines: after the listener is closed, its errors are expected.
pub fn listener_closed() {
    LISTENER_CLOSED.store(true, Ordering::Relaxed);
}
