//! The log of the service, on standard error.

use std::{
    fmt::Debug,
    io::IsTerminal,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    subscriber::Interest,
};
use tracing_subscriber::{
    EnvFilter, Layer, fmt,
    layer::{Context, SubscriberExt},
    registry,
    util::SubscriberInitExt,
};

use crate::config::LogFormat;

/// The target of the lines about connections.
const DISPATCHER: &str = "actix_http::h1::dispatcher";
/// The target of the lines about new connections.
const ACCEPTOR: &str = "actix_server::accept";

static LISTENER_CLOSED: AtomicBool = AtomicBool::new(false);
static BROKEN_REQUESTS: Mutex<BrokenRequests> = Mutex::new(BrokenRequests {
    number: 0,
    last: String::new(),
});

/// The connections that the server closed because a request could not be parsed or read.
#[derive(Debug)]
pub struct BrokenRequests {
    /// Their number.
    pub number: u64,
    /// The cause of the last one.
    pub last: String,
}

impl BrokenRequests {
    /// Those since the last call, if there are any.
    pub fn take() -> Option<Self> {
        let mut counted = BROKEN_REQUESTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        (counted.number > 0).then(|| Self {
            number: std::mem::take(&mut counted.number),
            last: std::mem::take(&mut counted.last),
        })
    }

    fn count(cause: &str) {
        let mut counted = BROKEN_REQUESTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        counted.number += 1;
        counted.last.clear();
        counted.last.push_str(cause);
    }
}

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
    let _ = registry()
        .with(filter)
        .with(layer)
        .with(ServerLines)
        .try_init();
}

/// Silences the acceptor's log lines: after the listener is closed, its errors are expected.
pub fn listener_closed() {
    LISTENER_CLOSED.store(true, Ordering::Relaxed);
}

/// Drops lines of the HTTP server that do not report a fault of the service. Counts those about broken
/// requests as [`BrokenRequests`]: the server logs each of them as an error, although the client
/// causes them.
///
/// This is no `Filter` of the other layer: one that drops an event by its fields also affects the next
/// event (tracing-subscriber 0.3).
struct ServerLines;

impl<S: Subscriber> Layer<S> for ServerLines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() == ACCEPTOR {
            return Interest::sometimes();
        }
        Interest::always()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() != ACCEPTOR || !LISTENER_CLOSED.load(Ordering::Relaxed)
    }

    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if metadata.target() != DISPATCHER || *metadata.level() != Level::ERROR {
            return true;
        }
        let mut message = Message::default();
        event.record(&mut message);
        let Some(cause) = message.0.strip_prefix("stream error: ") else {
            return true;
        };
        BrokenRequests::count(cause);
        false
    }
}

/// The message of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
