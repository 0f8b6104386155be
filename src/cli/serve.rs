//! `acclaim serve`

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use migration::Database;
use rand::distr::{Alphanumeric, SampleString};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::open_files;
use crate::{
    config::{Config, ConnectionSettings},
    db::{self, Db},
    http::{Connections, Drain, Limits, Readiness, State},
    jobs,
    keys::Keys,
    routes, server,
    services::{
        auth::{
            Authenticator,
            access_tokens::AccessTokens,
            passwords::{self, Passwords},
            rehash::RehashQueue,
        },
        export::Exports,
        idempotency::InFlight,
        import::Imports,
        quotas::Quotas,
        removal::Removals,
    },
    telemetry,
};

/// Maximum number of connections waiting to be accepted (`listen` backlog).
const BACKLOG: i32 = 1024;

/// Serves until SIGINT or SIGTERM, then finishes the requests in progress.
pub(super) async fn run() -> Result<(), String> {
    let config = Config::load().map_err(|errors| errors.to_string())?;
    // `Config::load` has already validated the filter.
    let filter = EnvFilter::try_new(&config.log_filter).unwrap_or_default();
    telemetry::start(filter, config.log_format);
    // Install the handlers before listening, so that no signal is missed.
    let mut signals =
        signals().map_err(|error| format!("cannot install signal handlers: {error}"))?;
    let address = SocketAddr::new(config.host, config.port);
    let listen_error = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{address} is in use by another program; set PORT to a free port")
        }
        _ => format!("cannot listen on {address}: {error}"),
    };
    let socket = bind(address).map_err(listen_error)?;
    // A migration may wait a long time for the lock of another migration.
    let db = tokio::select! {
        opened = open(&config) => opened?,
        () = wait_for_signal(&mut signals) => return Ok(()),
    };
    socket.listen(BACKLOG).map_err(listen_error)?;
    let listener = TcpListener::from(socket);
    let passwords = Passwords::start(db::workers(), passwords::QUEUE)
        .map_err(|error| format!("cannot start the password threads: {error}"))?;
    let keys = config.keys.unwrap_or_else(|| {
        tracing::warn!("JWT_SECRET is unset: access tokens become invalid when the service stops");
        random_keys()
    });
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
        limits: Limits::new(&config.limits),
        drain: Drain::default(),
        readiness: Readiness::default(),
    };
    let drain = state.drain.clone();
    let jobs = jobs::start(
        &state.db,
        &state.passwords,
        &state.rehashes,
        &state.exports,
        &state.removals,
        &state.authenticator,
        state.refresh_lifetime,
    );
    let address = listener.local_addr().unwrap_or(address);
    let cannot_serve = |error| format!("cannot serve on {address}: {error}");
    let stop_listener = listener.try_clone().map_err(cannot_serve)?;
    let db = state.db.clone();
    let connections = Connections::new(with_open_files(config.connections));
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
    tokio::spawn(async move {
        wait_for_signal(&mut signals).await;
        tracing::info!("stopping: finishing the requests in progress");
        server::stop(handle, &stop_listener, &drain).await;
    });
    tracing::info!(
        database = %config.database,
        "serving on http://{address}, API documentation at http://{address}/docs"
    );
    let result = server.await;
    jobs.stop().await;
    if let Err(error) = db.close().await {
        tracing::error!(
            error = error.with_cause(),
            "the database was not closed cleanly"
        );
    }
    result.map_err(|error| format!("the server failed: {error}"))?;
    tracing::info!("stopped");
    Ok(())
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
    Db::open_with(database, config.database_connections).await
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
