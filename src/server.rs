//! The HTTP server: what a request passes on its way in and out, and how the service stops.

use std::{
    io,
    net::{Shutdown, TcpListener},
    time::Duration,
};

use actix_cors::Cors;
use actix_web::{
    App, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    http::header::{
        AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LINK, LOCATION, RETRY_AFTER,
    },
    middleware::{NormalizePath, from_fn},
    web::{self, Data, PayloadConfig, ServiceConfig},
};
use socket2::SockRef;
use tracing_actix_web::TracingLogger;

use crate::{
    config::Origins,
    http::{
        Drain, Problem, State, body,
        envelope::envelope,
        limits::{self, RATE_LIMIT, RATE_LIMIT_POLICY},
        link::X_TOTAL_COUNT,
        request_id::X_REQUEST_ID,
        trace::Lines,
    },
    telemetry,
};

/// How long a client may take to send the head of its first request, and to close its connection.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection stays open between two requests.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long what is under way may take once the server stops: longer than any request may.
const DRAIN: Duration = Duration::from_secs(30);
/// How long the connections may take to close after that, in seconds.
const CLOSE_SECONDS: u64 = 5;
/// How long a browser may keep the answer to a preflight request, in seconds.
const PREFLIGHT_MAX_AGE: usize = 3600;

/// A server of `routes` on `listener`, running as soon as it is awaited. Stopped gracefully by its
/// handle, it takes no more requests and finishes those that it has.
///
/// # Errors
/// When the listener cannot be used.
pub fn build(
    listener: TcpListener,
    state: State,
    origins: Origins,
    workers: usize,
    routes: fn(&mut ServiceConfig),
) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        // Outermost last.
        App::new()
            .app_data(Data::new(state.for_worker()))
            .app_data(PayloadConfig::new(body::LIMIT))
            .configure(routes)
            .default_service(web::to(
                async || Err::<HttpResponse, _>(Problem::no_route()),
            ))
            .wrap(from_fn(limits::requests))
            .wrap(NormalizePath::trim())
            .wrap(cors(&origins))
            .wrap(TracingLogger::<Lines>::new())
            .wrap(from_fn(envelope))
    });
    let server = server
        .workers(workers)
        .client_request_timeout(CLIENT_TIMEOUT)
        .client_disconnect_timeout(CLIENT_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(CLOSE_SECONDS)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// Takes no more connections on `listener`, which is a clone of the one that `server` was built on,
/// finishes what is under way within 30 s, and ends the server.
pub async fn stop(server: ServerHandle, listener: &TcpListener, drain: &Drain) {
    drain.stop();
    telemetry::listener_closed();
    // Whoever connects from now on is refused at once; pausing the acceptor instead would leave
    // them waiting for nothing. An error means that the listener is closed already.
    let _ = SockRef::from(listener).shutdown(Shutdown::Both);
    server.pause().await;
    // actix closes connections that have no request under way, be it that one is about to be read.
    let _ = tokio::time::timeout(DRAIN, drain.quiet()).await;
    server.stop(true).await;
}

fn cors(origins: &Origins) -> Cors {
    let cors = match origins {
        Origins::Any => Cors::default().allow_any_origin().send_wildcard(),
        Origins::These(origins) => origins
            .iter()
            .fold(Cors::default(), |cors, origin| cors.allowed_origin(origin)),
    };
    cors.allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, X_REQUEST_ID])
        .expose_headers(exposed())
        .max_age(PREFLIGHT_MAX_AGE)
}

/// Headers of an answer that a page of another origin may read.
fn exposed() -> [HeaderName; 8] {
    [
        LINK,
        X_TOTAL_COUNT,
        LOCATION,
        ETAG,
        X_REQUEST_ID,
        RETRY_AFTER,
        RATE_LIMIT,
        RATE_LIMIT_POLICY,
    ]
}
