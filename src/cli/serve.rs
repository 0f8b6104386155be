//! `acclaim serve`

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_server::ServerHandle;
use migration::Database;
use rand::distr::{Alphanumeric, SampleString};
use sd_notify::NotifyState;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::open_files;
use crate::{
    config::{Config, ConnectionSettings, WebhookSettings},
    db::{self, Db},
    http::{Connections, Drain, Limits, Readiness, State, limits::Streams, problem::ProblemType},
    jobs,
    keys::Keys,
    metrics::Metrics,
    routes, server,
    services::{
        auth::{
            Authenticator,
            access_tokens::AccessTokens,
            passwords::{self, Passwords},
            rehash::RehashQueue,
        },
        events::Hub,
        export::Exports,
        idempotency::InFlight,
        import::Imports,
        quotas::Quotas,
        removal::Removals,
        webhooks::{Policy, Sender, Webhooks},
    },
    systemd, telemetry, traces,
};

/// Maximum number of connections waiting to be accepted (`listen` backlog).
const BACKLOG: i32 = 1024;

/// Serves until SIGINT or SIGTERM, then finishes the requests in progress.
pub(super) async fn run() -> Result<(), String> {
    let config = Config::load().map_err(|errors| errors.to_string())?;
    // `Config::load` has already validated the filter.
    let filter = EnvFilter::try_new(&config.log_filter).unwrap_or_default();
    telemetry::start(filter, config.log_format);
    let traces = match config.traces.clone() {
        Some(settings) => Some(traces::Exporter::start(settings).await?),
        None => None,
    };
    // Install the handlers before listening, so that no signal is missed.
    let mut signals =
        signals().map_err(|error| format!("cannot install signal handlers: {error}"))?;
    let address = SocketAddr::new(config.host, config.port);
    let listen_error = |error| cannot_listen(address, "PORT", &error);
    let socket = bind(address).map_err(listen_error)?;
    let metrics_listener = config.metrics.map(metrics_listener).transpose()?;
    // A migration may wait a long time for the lock of another migration.
    let db = tokio::select! {
        opened = open(&config) => opened?,
        () = wait_for_signal(&mut signals) => return Ok(()),
    };
    socket.listen(BACKLOG).map_err(listen_error)?;
    let listener = TcpListener::from(socket);
    let metrics = metrics_listener.is_some().then(|| metrics_of(&db));
    let waits = metrics.as_ref().map(|it| it.password_waits.clone());
    let passwords = Passwords::start(db::workers(), passwords::QUEUE, waits)
        .map_err(|error| format!("cannot start the password threads: {error}"))?;
    let keys = config.keys.unwrap_or_else(random_keys);
    let connections = Connections::new(with_open_files(config.connections));
    let state = State {
        db,
        passwords,
        rehashes: RehashQueue::default(),
        access_tokens: AccessTokens::new(keys, config.access_token_lifetime)
            .with_issuer(config.public_url),
        authenticator: Authenticator::default(),
        refresh_lifetime: config.refresh_token_lifetime,
        public_reads: config.public_reads,
        frontend_url: config.frontend_url,
        exports: Exports::default(),
        imports: Imports::default(),
        removals: Removals::default(),
        quotas: Quotas::new(config.quotas),
        in_flight: InFlight::default(),
        events: Hub::default(),
        events_keep: config.events_keep,
        webhooks: webhooks(config.webhooks)?,
        streams: Streams::new(connections.limit()),
        limits: Limits::new(&config.limits),
        drain: Drain::default(),
        readiness: Readiness::default(),
        metrics,
    };
    let drain = state.drain.clone();
    let jobs = jobs::start(&state);
    let address = listener.local_addr().unwrap_or(address);
    let cannot_serve = |error| format!("cannot serve on {address}: {error}");
    let stop_listener = listener.try_clone().map_err(cannot_serve)?;
    let db = state.db.clone();
    let metrics_server = start_metrics(metrics_listener, &state, &connections)?;
    let origins = config.origins;
    let server = server::build(
        listener,
        state,
        connections,
        origins,
        db.workers(),
        routes::configure,
    )
    .map_err(cannot_serve)?;
    let handle = server.handle();
    jobs::watchdog::start(&jobs, &drain, address, db.workers());
    tokio::spawn(async move {
        wait_for_signal(&mut signals).await;
        systemd::tell(NotifyState::Stopping);
        tracing::info!("stopping: finishing the requests in progress");
        server::stop(handle, &stop_listener, &drain).await;
    });
    tracing::info!(
        database = %config.database,
        "serving on http://{address}, API documentation at http://{address}/docs"
    );
    systemd::tell(NotifyState::Ready);
    let result = server.await;
    jobs.stop().await;
    if let Some(server) = metrics_server {
        server.stop(false).await;
    }
    if let Err(error) = db.close().await {
        tracing::error!(
            error = error.with_cause(),
            "the database was not closed cleanly"
        );
    }
    if let Some(traces) = traces {
        traces.stop().await;
    }
    result.map_err(|error| format!("the server failed: {error}"))?;
    tracing::info!("stopped");
    Ok(())
}

fn webhooks(settings: WebhookSettings) -> Result<Webhooks, String> {
    let sender = Sender::new(Policy::new(settings));
    let sender = sender.map_err(|error| format!("webhooks: {}", error.with_cause()))?;
    Ok(Webhooks::new(sender, routes::render_event))
}

/// Opens the database; applies pending migrations to SQLite, or if `AUTO_MIGRATE` is set.
///
/// Fails if migrations are still pending, or if the database has migrations of a newer version.
async fn open(config: &Config) -> Result<Db, String> {
    let database = &config.database;
    let command = if config.auto_migrate || matches!(database, Database::Sqlite(_)) {
        migration::Command::UP
    } else {
        migration::Command::Status
    };
    let report = migration::run(database, &command)
        .await
        .map_err(|error| error.to_string())?;
    if report.pending > 0 {
        return Err(format!(
            "{database} has {} pending migrations; run `acclaim migrate up`, or set AUTO_MIGRATE=true",
            report.pending
        ));
    }
    let db = Db::open_with(database, config.database_connections).await?;
    Ok(db.with_replicas(&config.replicas))
}

/// Lowers `MAX_CONNECTIONS` to the number that the limit of open files allows. Without this, the
/// server could not accept a connection to replace an idle one.
fn with_open_files(mut settings: ConnectionSettings) -> ConnectionSettings {
    if let Some(allowed) = open_files::allow_connections()
        && allowed < settings.total
    {
        tracing::warn!(
            "the limit of open files allows {allowed} connections; MAX_CONNECTIONS is {}",
            settings.total
        );
        settings.total = allowed;
    }
    settings
}

/// Listens on the address of `METRICS_ADDR`.
fn metrics_listener(address: SocketAddr) -> Result<TcpListener, String> {
    let error = |error| cannot_listen(address, "METRICS_ADDR", &error);
    let listener = TcpListener::bind(address).map_err(error)?;
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!("serving metrics on http://{address}/metrics");
    Ok(listener)
}

/// New metrics, in which `db` counts.
fn metrics_of(db: &Db) -> Arc<Metrics> {
    let problems = ProblemType::all().map(|problem| problem.slug);
    let metrics = Arc::new(Metrics::new(routes::patterns(), problems));
    db.count_in(&metrics);
    metrics
}

/// Serves the metrics of `state`, if they are on.
fn start_metrics(
    listener: Option<TcpListener>,
    state: &State,
    connections: &Connections,
) -> Result<Option<ServerHandle>, String> {
    let (Some(listener), Some(metrics)) = (listener, &state.metrics) else {
        return Ok(None);
    };
    let server = server::metrics::build(listener, metrics, state, connections);
    let server = server.map_err(|error| format!("cannot serve metrics: {error}"))?;
    let handle = server.handle();
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "metrics are no longer served");
        }
    });
    Ok(Some(handle))
}

fn cannot_listen(address: SocketAddr, setting: &str, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::AddrInUse {
        return format!("{address} is in use by another program; set {setting} to a free port");
    }
    format!("cannot listen on {address}: {error}")
}

/// Binds `address` without listening yet.
fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Without SO_REUSEADDR, a restart fails while old connections are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Generates a secret of 43 letters and digits, about 256 bits.
fn random_keys() -> Keys {
    tracing::warn!("JWT_SECRET is unset: access tokens become invalid when the service stops");
    let secret = Alphanumeric.sample_string(&mut rand::rng(), 43);
    Keys::from_secrets(&secret.into(), &[])
}

fn signals() -> io::Result<[Signal; 2]> {
    Ok([
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    ])
}

async fn wait_for_signal([interrupt, terminate]: &mut [Signal; 2]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
