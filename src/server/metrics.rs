//! The listener of `METRICS_ADDR`, and the metrics that are read at the time of a scrape.

use std::{fmt, io, net::TcpListener, sync::Arc, time::Duration};

use actix_server::Server;
use actix_web::{
    App, HttpResponse, HttpServer,
    web::{self, Data},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    registry::{Registry, Unit},
};

use crate::{
    db::Db,
    http::{Connections, Drain, Limits, State},
    metrics::{Metrics, gauge, gauges},
    services::auth::passwords::Passwords,
};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Maximum number of connections. Others wait.
const MAX_CONNECTIONS: usize = 16;
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the usual time between two scrapes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const CLOSE_TIMEOUT_SECONDS: u64 = 1;

/// Builds a server of `GET /metrics` on `listener`. It runs when the result is awaited.
///
/// # Errors
/// If the listener cannot be used.
pub fn build(
    listener: TcpListener,
    metrics: &Metrics,
    state: &State,
    connections: &Connections,
) -> io::Result<Server> {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    registry.register_collector(Box::new(Readings {
        db: state.db.clone(),
        passwords: state.passwords.clone(),
        limits: state.limits.clone(),
        drain: state.drain.clone(),
        connections: connections.clone(),
    }));
    let registry = Data::from(Arc::new(registry));
    let app = move || {
        let metrics = web::resource("/metrics")
            .route(web::get().to(scrape))
            .route(web::head().to(scrape));
        App::new().app_data(registry.clone()).service(metrics)
    };
    let server = HttpServer::new(app)
        .workers(1)
        .max_connections(MAX_CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(CLOSE_TIMEOUT_SECONDS)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

async fn scrape(registry: Data<Registry>) -> HttpResponse {
    let mut body = String::new();
    match text::encode(&mut body, &registry) {
        Ok(()) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(body),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be encoded");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Reads what needs no count.
#[derive(Debug)]
struct Readings {
    db: Db,
    passwords: Passwords,
    limits: Limits,
    drain: Drain,
    connections: Connections,
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let encoder = &mut encoder;
        let mut number = |name, help, value: usize| gauge(encoder, name, help, None, value as u64);
        number(
            "acclaim_http_connections",
            "Open connections of clients",
            self.connections.count(),
        )?;
        number(
            "acclaim_http_requests_in_flight",
            "Requests whose response is not complete",
            self.drain.open(),
        )?;
        number(
            "acclaim_password_queue_length",
            "Passwords that wait for a hashing thread",
            self.passwords.waiting(),
        )?;
        let pools = self.db.pool_statistics();
        let mut of_pools = |name, help, values: [usize; 2]| {
            let values = pools.iter().zip(values);
            let values = values.map(|(pool, value)| (pool.pool, value as u64));
            gauges(encoder, name, help, "pool", values)
        };
        of_pools(
            "acclaim_db_pool_connections_max",
            "Connections that a pool may open",
            pools.map(|pool| pool.size),
        )?;
        of_pools(
            "acclaim_db_pool_connections_in_use",
            "Connections of a pool that are in use",
            pools.map(|pool| pool.in_use),
        )?;
        of_pools(
            "acclaim_db_pool_waiting",
            "Callers that wait for a connection of a pool",
            pools.map(|pool| pool.waiting),
        )?;
        gauge(
            encoder,
            "acclaim_db_reachable",
            "0 while PostgreSQL cannot be reached, otherwise 1",
            None,
            u64::from(self.db.is_reachable()),
        )?;
        if let Some(bytes) = self.db.log_size() {
            let help = "Size of SQLite's write-ahead log";
            gauge(
                encoder,
                "acclaim_sqlite_wal",
                help,
                Some(&Unit::Bytes),
                bytes,
            )?;
        }
        gauges(
            encoder,
            "acclaim_rate_limit_keys",
            "Addresses, names or users that a rate limit tracks",
            "limit",
            self.limits.keys(),
        )
    }
}
