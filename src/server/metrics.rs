//! The listener of `METRICS_ADDR`, and the metrics that are read at the time of a scrape.

use std::{fmt, io, net::TcpListener, sync::Arc, time::Duration};

use actix_server::Server;
use actix_web::{
    App, HttpResponse, HttpServer,
    http::KeepAlive,
    web::{self, Data},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    registry::{Registry, Unit},
};

use crate::{
    db::{Db, PoolStatistics},
    http::{Connections, Drain, Limits, State},
    metrics::{Metrics, counter, counters, gauge, gauges},
    services::{auth::passwords::Passwords, events::Hub},
};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Maximum number of connections. Others wait.
const MAX_CONNECTIONS: usize = 64;
const HEAD_TIMEOUT: Duration = Duration::from_secs(1);
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
        events: state.events.clone(),
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
        // Idle connections would keep others waiting.
        .keep_alive(KeepAlive::Disabled)
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
    events: Hub,
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
            "acclaim_event_streams",
            "Open streams of events",
            self.events.readers(),
        )?;
        number(
            "acclaim_password_queue_length",
            "Passwords that wait for a hashing thread",
            self.passwords.waiting(),
        )?;
        let pools = self.db.pool_statistics();
        let mut of_pools = |name, help, value: fn(&PoolStatistics) -> usize| {
            let values = pools.iter().map(|pool| (pool.pool, value(pool) as u64));
            gauges(encoder, name, help, "pool", values)
        };
        of_pools(
            "acclaim_db_pool_connections_max",
            "Connections that a pool may open",
            |pool| pool.size,
        )?;
        of_pools(
            "acclaim_db_pool_connections_in_use",
            "Connections of a pool that are in use",
            |pool| pool.in_use,
        )?;
        of_pools(
            "acclaim_db_pool_waiting",
            "Callers that wait for a connection of a pool",
            |pool| pool.waiting,
        )?;
        gauge(
            encoder,
            "acclaim_db_reachable",
            "0 while PostgreSQL cannot be reached, otherwise 1",
            None,
            u64::from(self.db.is_reachable()),
        )?;
        encode_replicas(encoder, &self.db)?;
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

fn encode_replicas(encoder: &mut DescriptorEncoder, db: &Db) -> fmt::Result {
    let statistics = db.replica_statistics();
    let replicas = || statistics.replicas.iter();
    gauges(
        encoder,
        "acclaim_db_replica_in_rotation",
        "1 if reads may ask the replica, otherwise 0",
        "replica",
        replicas().map(|replica| (&replica.name, u64::from(replica.in_rotation))),
    )?;
    gauges(
        encoder,
        "acclaim_db_replica_lag_seconds",
        "Greatest age of the state of the replica at the last check that it answered",
        "replica",
        replicas().map(|replica| (&replica.name, replica.lag.as_secs_f64())),
    )?;
    counters(
        encoder,
        "acclaim_db_replica_reads",
        "Reads that the replica answered",
        "replica",
        replicas().map(|replica| (&replica.name, replica.reads)),
    )?;
    counters(
        encoder,
        "acclaim_db_replica_fallbacks",
        "Reads that the primary answered in place of a replica, by reason",
        "reason",
        statistics.fallbacks.iter().copied(),
    )?;
    let help = "Reads that waited for a replica to reach their position";
    counter(
        encoder,
        "acclaim_db_replica_waits",
        help,
        None,
        statistics.waits,
    )
}
