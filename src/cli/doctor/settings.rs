//! Checks the settings: invalid values, and valid ones that are risky.

use migration::Database;

use super::Finding;
use crate::config::{self, Config, Origins, ReplicaSettings, SETTINGS};

/// The settings that the database checks need.
pub(super) struct DatabaseSettings {
    /// `DATABASE_URL` or `DATABASE_URL_FILE`.
    pub(super) database: Database,
    /// `DATABASE_CONNECTIONS`; `None` if a setting is invalid.
    pub(super) connections: Option<usize>,
    /// `DATABASE_REPLICA_URL`; none if a setting is invalid.
    pub(super) replicas: Vec<ReplicaSettings>,
    /// `AUTO_MIGRATE`.
    pub(super) auto_migrate: bool,
}

pub(super) fn check() -> (Vec<Finding>, Option<DatabaseSettings>) {
    let config = match Config::load() {
        Ok(config) => config,
        Err(errors) => {
            let lines = errors.lines().iter();
            let findings = lines.map(|line| Finding::fault("settings", line)).collect();
            let settings = config::load_database()
                .ok()
                .map(|database| DatabaseSettings {
                    database,
                    connections: None,
                    replicas: Vec::new(),
                    auto_migrate: false,
                });
            return (findings, settings);
        }
    };
    let count = SETTINGS.len();
    let findings = vec![
        Finding::ok("settings", format!("all {count} are valid")),
        secret(&config),
        host(&config),
        origins(&config),
        proxies(&config),
    ];
    let settings = DatabaseSettings {
        database: config.database,
        connections: Some(config.database_connections),
        replicas: config.replicas,
        auto_migrate: config.auto_migrate,
    };
    (findings, Some(settings))
}

/// Does not check the strength of the secret: `Config::load` rejects a weak one.
fn secret(config: &Config) -> Finding {
    const SUBJECT: &str = "JWT_SECRET";
    match config.keys {
        Some(_) => Finding::ok(
            SUBJECT,
            "it, JWT_SECRET_FILE or JWT_KEY_FILE is set and strong enough",
        ),
        None => Finding::warning(
            SUBJECT,
            "is unset, so every restart invalidates all access tokens; set it, for example to the output of `openssl rand -hex 32`",
        ),
    }
}

fn host(config: &Config) -> Finding {
    const SUBJECT: &str = "HOST";
    let host = config.host;
    if host.is_loopback() {
        return Finding::ok(
            SUBJECT,
            format!("{host} is reachable only from this machine"),
        );
    }
    Finding::warning(
        SUBJECT,
        format!(
            "{host} is reachable from other machines, and the service does not use TLS; put a TLS-terminating proxy in front and block all other access to the port"
        ),
    )
}

fn origins(config: &Config) -> Finding {
    const SUBJECT: &str = "CORS_ALLOWED_ORIGINS";
    match &config.origins {
        Origins::Any => Finding::warning(
            SUBJECT,
            "allows every origin; list only the origins that need access",
        ),
        Origins::These(origins) => {
            Finding::ok(SUBJECT, format!("allows {} origins", origins.len()))
        }
    }
}

/// A trusted proxy can claim any client address and thus evade every address limit.
fn proxies(config: &Config) -> Finding {
    const SUBJECT: &str = "TRUSTED_PROXIES";
    let trusted = &config.limits.trusted_proxies;
    // A prefix shorter than those of the private networks (10.0.0.0/8, fd00::/8).
    if trusted.iter().any(|network| network.prefix_len() < 8) {
        return Finding::fault(
            SUBJECT,
            "trusts public networks, so clients there can forge their address and evade the limits; list only the proxies",
        );
    }
    match trusted.len() {
        0 if !config.host.is_loopback() => Finding::warning(
            SUBJECT,
            "is empty, so all clients behind a proxy share one limit; list the proxy if there is one",
        ),
        count => Finding::ok(SUBJECT, format!("lists {count}")),
    }
}
