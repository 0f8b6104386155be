//! The HTTP server: its middleware, its timeouts and its graceful stop.

pub mod metrics;

use std::{
    io,
    net::{Shutdown, TcpListener},
    rc::Rc,
    time::Duration,
};

use actix_cors::Cors;
use actix_http::{HttpService, Protocol};
use actix_server::{Server, ServerHandle};
use actix_service::{Service, apply_fn_factory, map_config};
use actix_web::{
    App, HttpResponse,
    dev::AppConfig,
    http::header::{
        AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, LINK, LOCATION,
        RETRY_AFTER,
    },
    middleware::{Next, NormalizePath, from_fn},
    web::{self, Data, ServiceConfig},
};
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::{
    config::Origins,
    http::{
        Connections, Drain, Problem, State,
        connections::{HEAD_TIMEOUT, KEEP_ALIVE, Stream},
        database_position::DATABASE_POSITION,
        envelope::envelope,
        event_stream::LAST_EVENT_ID,
        idempotency::{IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED},
        limits::{RATE_LIMIT, RATE_LIMIT_POLICY},
        link::X_TOTAL_COUNT,
        prefer::{PREFER, PREFERENCE_APPLIED},
        rate_limit::rate_limit,
        request_id::X_REQUEST_ID,
    },
    telemetry,
};

/// Timeout for the client to close a connection.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// TCP closes a connection if the client acknowledges nothing for this time (`TCP_USER_TIMEOUT`),
/// also after the server closed it.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Size of the kernel's send buffer, in bytes; Linux doubles it. Its own maximum is 4 MiB, of which
/// some hundred clients that do not read could use up all memory for TCP.
const SEND_BUFFER: usize = 128 * 1024;
/// Maximum time that a stopping server waits for open requests. Must exceed `route::TIMEOUT`.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum time for connections to close after [`DRAIN_TIMEOUT`], in seconds.
const CLOSE_TIMEOUT_SECONDS: u64 = 5;
/// Maximum time for which a browser may cache a preflight response, in seconds.
const PREFLIGHT_MAX_AGE: usize = 3600;

/// Builds a server of `routes` on `listener`. It runs when the result is awaited.
///
/// # Errors
/// If the listener cannot be used.
pub fn build(
    listener: TcpListener,
    state: State,
    connections: Connections,
    origins: Origins,
    workers: usize,
    routes: fn(&mut ServiceConfig),
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let server = Server::build();
    let shutdown = server.graceful_shutdown_signal();
    let service = move || {
        // The last middleware is the outermost.
        let app = App::new()
            .app_data(Data::new(state.for_worker()))
            .configure(routes)
            .default_service(web::to(
                async || Err::<HttpResponse, _>(Problem::no_route()),
            ))
            .wrap(from_fn(rate_limit))
            .wrap(NormalizePath::trim())
            .wrap(cors(&origins))
            // Boxed, because otherwise an idle connection or stream would keep room for it: 1.3 kB.
            .wrap(from_fn(|request, next: Next<_>| {
                Box::pin(envelope(request, next))
            }));
        let shutdown = shutdown.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let shutdown = shutdown.clone();
                async move { shutdown.notified().await }
            })
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .keep_alive(KEEP_ALIVE)
            .local_addr(address)
            .on_connect_ext(|stream: &Stream, extensions| {
                extensions.insert(Rc::clone(stream.activity()));
            })
            .finish(map_config(app, |()| AppConfig::default()));
        let connections = connections.clone();
        apply_fn_factory(http, move |tcp: TcpStream, http| {
            let peer = tcp.peer_addr().ok();
            let activity = peer.and_then(|peer| connections.admit(peer.ip()));
            let connection = activity.map(|activity| {
                let socket = SockRef::from(&tcp);
                let _ = socket.set_tcp_user_timeout(Some(ACKNOWLEDGE_TIMEOUT));
                let _ = socket.set_send_buffer_size(SEND_BUFFER);
                // Otherwise an event waits until the client acknowledges the one before, often for 40 ms.
                let _ = socket.set_tcp_nodelay(true);
                let stream = Stream::new(tcp, Rc::clone(&activity));
                // Boxed, because the futures around it would contain it four times: 8 kB a connection.
                (
                    Box::pin(http.call((stream, Protocol::Http1, peer))),
                    activity,
                )
            });
            async move {
                let Some((http, activity)) = connection else {
                    tracing::debug!("a connection was refused, because all others are in use");
                    return Ok(());
                };
                activity.limit(http).await.unwrap_or(Ok(()))
            }
        })
    };
    let server = server
        .workers(workers)
        .shutdown_timeout(CLOSE_TIMEOUT_SECONDS)
        .disable_signals()
        .listen("http", listener, service)?;
    Ok(server.run())
}

/// Stops the server gracefully: closes `listener`, waits up to 30 s for open requests, then ends
/// the workers. `listener` must be a clone of the server's own.
pub async fn stop(server: ServerHandle, listener: &TcpListener, drain: &Drain) {
    drain.stop();
    telemetry::listener_closed();
    // Refuses new connections at once. Pausing the acceptor alone would leave them waiting in the
    // backlog. An error means that the listener is already closed.
    let _ = SockRef::from(listener).shutdown(Shutdown::Both);
    server.pause().await;
    // actix closes idle connections even if a request is about to arrive on them. Wait first.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, drain.wait_until_idle()).await;
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
        .allowed_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_MATCH,
            IF_NONE_MATCH,
            DATABASE_POSITION,
            LAST_EVENT_ID,
            PREFER,
            IDEMPOTENCY_KEY,
            X_REQUEST_ID,
        ])
        .expose_headers(exposed_headers())
        .max_age(PREFLIGHT_MAX_AGE)
}

/// Response headers that pages of other origins may read.
fn exposed_headers() -> [HeaderName; 11] {
    [
        LINK,
        X_TOTAL_COUNT,
        LOCATION,
        ETAG,
        DATABASE_POSITION,
        PREFERENCE_APPLIED,
        IDEMPOTENCY_REPLAYED,
        X_REQUEST_ID,
        RETRY_AFTER,
        RATE_LIMIT,
        RATE_LIMIT_POLICY,
    ]
}
