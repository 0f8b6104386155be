//! Reads and checks the settings. Each one is declared in `settings.rs`.

mod limits;
mod parse;
mod quotas;
mod reader;
mod replicas;
mod settings;
mod traces;
mod webhooks;

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use migration::Database;
use url::Url;

use crate::keys::Keys;
pub use limits::{ConnectionSettings, LimitSettings, Rate};
use parse::{
    boolean, connections, days, frontend, key_file, log_filter, log_format, minutes, origins,
    parsed, public_url, secrets, socket_address,
};
pub use quotas::QuotaSettings;
use reader::SettingsReader;
pub use replicas::ReplicaSettings;
use settings::{
    ACCESS_TOKEN_EXPIRE_MINUTES, AUTO_MIGRATE, CORS_ALLOWED_ORIGINS, DATABASE_CONNECTIONS,
    DATABASE_REPLICA_URL_FILE, DATABASE_URL, DATABASE_URL_FILE, EVENTS_KEEP, FRONTEND_URL, HOST,
    JWT_KEY_FILE, JWT_SECRET, JWT_SECRET_FILE, LOG_FORMAT, METRICS_ADDR, PORT, PUBLIC_READS,
    PUBLIC_URL, REFRESH_TOKEN_EXPIRE_DAYS, RUST_LOG,
};
pub use settings::{SETTINGS, Setting};
pub use traces::{CollectorHeaders, Sampler, TraceSettings};
pub use webhooks::{HostPattern, WebhookSettings};

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human-readable text.
    Text,
    /// One JSON object per line.
    Json,
}

/// The origins that CORS allows to call the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Any origin (`*`).
    Any,
    /// Only these, in the form of the `Origin` header. An empty list allows none.
    These(Vec<String>),
}

/// The validated settings.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL` or `DATABASE_URL_FILE`.
    pub database: Database,
    /// `DATABASE_CONNECTIONS`.
    pub database_connections: usize,
    /// `DATABASE_REPLICA_URL` or `DATABASE_REPLICA_URL_FILE`.
    pub replicas: Vec<ReplicaSettings>,
    /// `HOST`.
    pub host: IpAddr,
    /// `PORT`.
    pub port: u16,
    /// `PUBLIC_URL`, without a slash at the end.
    pub public_url: Option<String>,
    /// `JWT_SECRET`, `JWT_SECRET_FILE` or `JWT_KEY_FILE`. `None` is possible only if `HOST` is a loopback address.
    pub keys: Option<Keys>,
    /// `ACCESS_TOKEN_EXPIRE_MINUTES`.
    pub access_token_lifetime: Duration,
    /// `REFRESH_TOKEN_EXPIRE_DAYS`.
    pub refresh_token_lifetime: time::Duration,
    /// `EVENTS_KEEP`.
    pub events_keep: time::Duration,
    /// `WEBHOOK_…`.
    pub webhooks: WebhookSettings,
    /// `CORS_ALLOWED_ORIGINS`.
    pub origins: Origins,
    /// `FRONTEND_URL`, without credentials.
    pub frontend_url: Option<Url>,
    /// `AUTO_MIGRATE`.
    pub auto_migrate: bool,
    /// `PUBLIC_READS`.
    pub public_reads: bool,
    /// `QUOTA_…`.
    pub quotas: QuotaSettings,
    /// `RATE_LIMIT_…` and `TRUSTED_PROXIES`.
    pub limits: LimitSettings,
    /// `MAX_CONNECTIONS…` and `TRUSTED_PROXIES`.
    pub connections: ConnectionSettings,
    /// `METRICS_ADDR`.
    pub metrics: Option<SocketAddr>,
    /// `OTEL_…`; `None` if traces are off.
    pub traces: Option<TraceSettings>,
    /// `RUST_LOG`, a valid `EnvFilter` string.
    pub log_filter: String,
    /// `LOG_FORMAT`.
    pub log_format: LogFormat,
}

/// All invalid settings of one run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid settings:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl ConfigErrors {
    /// One line per error: the setting, the problem and the expected value.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl Config {
    /// Reads the settings. Environment variables override `.env`, which is looked up in the
    /// working directory and then in its parents.
    pub fn load() -> Result<Self, ConfigErrors> {
        Self::from_lookup(environment()?)
    }

    /// Reads each setting by name with `lookup`. An empty value counts as unset.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut reader = SettingsReader::new(lookup);
        let database = read_database(&mut reader);
        let database_connections = reader.read(&DATABASE_CONNECTIONS, connections);
        let replicas = ReplicaSettings::read_all(&mut reader, database.as_ref());
        let (host, port) = read_address(&mut reader);
        let public_url = reader.read(&PUBLIC_URL, public_url);
        let secrets = reader.read_or_file(&JWT_SECRET, &JWT_SECRET_FILE, secrets);
        let secrets = secrets.flatten();
        let key_file = reader.read(&JWT_KEY_FILE, key_file).flatten();
        let access_token_lifetime = reader.read(&ACCESS_TOKEN_EXPIRE_MINUTES, minutes);
        let refresh_token_lifetime = reader.read(&REFRESH_TOKEN_EXPIRE_DAYS, days);
        let events_keep = reader.read(&EVENTS_KEEP, days);
        let webhooks = WebhookSettings::read(&mut reader);
        let origins = reader.read(&CORS_ALLOWED_ORIGINS, origins);
        let frontend_url = reader.read(&FRONTEND_URL, frontend);
        let auto_migrate = reader.read(&AUTO_MIGRATE, boolean);
        let public_reads = reader.read(&PUBLIC_READS, boolean);
        let quotas = QuotaSettings::read(&mut reader);
        let limits = LimitSettings::read(&mut reader);
        let connections = ConnectionSettings::read(&mut reader, limits.as_ref());
        let metrics = reader.read(&METRICS_ADDR, socket_address);
        let traces = TraceSettings::read(&mut reader);
        let log_filter = reader.read(&RUST_LOG, log_filter);
        let log_format = reader.read(&LOG_FORMAT, log_format);
        check_keys(&mut reader, host);
        let (
            Some(database),
            Some(database_connections),
            Some(replicas),
            Some(host),
            Some(port),
            Some(public_url),
            Some(access_token_lifetime),
            Some(refresh_token_lifetime),
            Some(events_keep),
            Some(webhooks),
            Some(origins),
            Some(frontend_url),
            Some(auto_migrate),
            Some(public_reads),
            Some(quotas),
            Some(limits),
            Some(connections),
            Some(metrics),
            Some(traces),
            Some(log_filter),
            Some(log_format),
            [],
        ) = (
            database,
            database_connections,
            replicas,
            host,
            port,
            public_url,
            access_token_lifetime,
            refresh_token_lifetime,
            events_keep,
            webhooks,
            origins,
            frontend_url,
            auto_migrate,
            public_reads,
            quotas,
            limits,
            connections,
            metrics,
            traces,
            log_filter,
            log_format,
            reader.errors.as_slice(),
        )
        else {
            return Err(ConfigErrors(reader.errors));
        };
        Ok(Self {
            database,
            database_connections,
            replicas,
            host,
            port,
            public_url,
            keys: secrets.or(key_file),
            access_token_lifetime,
            refresh_token_lifetime,
            events_keep,
            webhooks,
            origins,
            frontend_url,
            auto_migrate,
            public_reads,
            quotas,
            limits,
            connections,
            metrics,
            traces,
            log_filter,
            log_format,
        })
    }
}

/// Allows one form of the keys, and requires one if `host` is reachable from other machines.
fn check_keys<L: Fn(&str) -> Option<String>>(reader: &mut SettingsReader<L>, host: Option<IpAddr>) {
    let secret = [&JWT_SECRET, &JWT_SECRET_FILE]
        .into_iter()
        .find(|setting| reader.is_set(setting));
    match (secret, reader.is_set(&JWT_KEY_FILE)) {
        (Some(secret), true) => reader.error_both(&JWT_KEY_FILE, secret),
        (None, false) if host.is_some_and(|host| !host.is_loopback()) => reader.error(
            &JWT_SECRET,
            "is unset, but HOST is not a loopback address; expected at least 32 bytes, such as the output of `openssl rand -hex 32`, or a JWT_KEY_FILE",
        ),
        _ => {}
    }
}

/// Reads the database alone, so that commands such as `migrate` need no signing secret.
pub fn load_database() -> Result<Database, ConfigErrors> {
    let mut reader = SettingsReader::new(environment()?);
    let database = read_database(&mut reader);
    database.ok_or(ConfigErrors(reader.errors))
}

/// Reads `HOST` and `PORT` alone.
pub fn load_address() -> Result<SocketAddr, ConfigErrors> {
    let mut reader = SettingsReader::new(environment()?);
    let (host, port) = read_address(&mut reader);
    let address = host.zip(port).map(SocketAddr::from);
    address.ok_or(ConfigErrors(reader.errors))
}

/// The files with secrets that are set: the setting and the path.
#[must_use]
pub fn secret_files() -> Vec<(&'static str, PathBuf)> {
    let Ok(lookup) = environment() else {
        return Vec::new();
    };
    let settings = [
        &DATABASE_URL_FILE,
        &DATABASE_REPLICA_URL_FILE,
        &JWT_SECRET_FILE,
        &JWT_KEY_FILE,
    ];
    let files = settings.into_iter().filter_map(|setting| {
        let path = lookup(setting.name).filter(|path| !path.trim().is_empty())?;
        Some((setting.name, PathBuf::from(path)))
    });
    files.collect()
}

fn read_database<L: Fn(&str) -> Option<String>>(
    reader: &mut SettingsReader<L>,
) -> Option<Database> {
    reader.read_or_file(&DATABASE_URL, &DATABASE_URL_FILE, Database::parse)
}

fn read_address<L: Fn(&str) -> Option<String>>(
    reader: &mut SettingsReader<L>,
) -> (Option<IpAddr>, Option<u16>) {
    let host = reader.read(&HOST, |text| {
        parsed::<IpAddr>(text, "an IP address such as 127.0.0.1 or 0.0.0.0")
    });
    let port = reader.read(&PORT, |text| {
        parsed::<u16>(text, "an integer from 0 to 65535")
    });
    (host, port)
}

fn environment() -> Result<impl Fn(&str) -> Option<String>, ConfigErrors> {
    let file = dotenv().map_err(|error| ConfigErrors(vec![error]))?;
    Ok(move |name: &str| std::env::var(name).ok().or_else(|| file.get(name).cloned()))
}

fn dotenv() -> Result<HashMap<String, String>, String> {
    let file = match dotenvy::dotenv_iter() {
        Ok(file) => file,
        Err(error) if error.not_found() => return Ok(HashMap::new()),
        Err(error) => return Err(format!(".env: cannot be read: {error}")),
    };
    // dotenvy's own error message repeats the line, which may contain a secret.
    file.collect::<Result<_, _>>()
        .map_err(|_| ".env: a line is not NAME=VALUE, or has unbalanced quotes".to_owned())
}
