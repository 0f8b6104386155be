//! Settings that are wrong, or that deserve a second look.

use migration::Database;

use super::Finding;
use crate::config::{self, Config, Origins, SETTINGS};

/// What the checks of the database need.
pub(super) struct Known {
    /// `DATABASE_URL`.
    pub(super) database: Database,
    /// `AUTO_MIGRATE`.
    pub(super) auto_migrate: bool,
}

pub(super) fn check() -> (Vec<Finding>, Option<Known>) {
    let config = match Config::load() {
        Ok(config) => config,
        Err(faults) => {
            let faults = faults.lines().iter();
            let findings = faults
                .map(|line| Finding::fault("settings", line))
                .collect();
            let known = config::load_database().ok().map(|database| Known {
                database,
                auto_migrate: false,
            });
            return (findings, known);
        }
    };
    let count = SETTINGS.len();
    let findings = vec![
        Finding::ok("settings", format!("all {count} can be read")),
        secret(&config),
        host(&config),
        origins(&config),
        proxies(&config),
    ];
    let known = Known {
        database: config.database,
        auto_migrate: config.auto_migrate,
    };
    (findings, Some(known))
}

/// A weak one is not read at all, and stands among the faults of the settings.
fn secret(config: &Config) -> Finding {
    const WHAT: &str = "JWT_SECRET";
    match config.keys {
        Some(_) => Finding::ok(
            WHAT,
            "is a key file, or secrets long enough and no well-known example",
        ),
        None => Finding::warning(
            WHAT,
            "is unset, so that every start signs everybody out; set it, for instance to what `openssl rand -hex 32` prints",
        ),
    }
}

fn host(config: &Config) -> Finding {
    const WHAT: &str = "HOST";
    let host = config.host;
    if host.is_loopback() {
        return Finding::ok(WHAT, format!("{host} is reached from this machine alone"));
    }
    Finding::warning(
        WHAT,
        format!(
            "{host} can be reached from other machines, and the service speaks HTTP without TLS; have a proxy in front that ends TLS, and let nothing else reach the port"
        ),
    )
}

fn origins(config: &Config) -> Finding {
    const WHAT: &str = "CORS_ALLOWED_ORIGINS";
    match &config.origins {
        Origins::Any => Finding::warning(
            WHAT,
            "lets the pages of every origin call the service; name those that should",
        ),
        Origins::These(origins) => Finding::ok(WHAT, format!("names {} origins", origins.len())),
    }
}

/// Whoever is trusted can make itself any client, and so get round every limit.
fn proxies(config: &Config) -> Finding {
    const WHAT: &str = "TRUSTED_PROXIES";
    let trusted = &config.limits.trusted_proxies;
    // More than the private networks have (10.0.0.0/8, fd00::/8).
    if trusted.iter().any(|network| network.prefix_len() < 8) {
        return Finding::fault(
            WHAT,
            "trusts networks of strangers, who can forge the address that is limited; name the proxies alone",
        );
    }
    match trusted.len() {
        0 if !config.host.is_loopback() => Finding::warning(
            WHAT,
            "names none: behind a proxy all clients are limited together; name the proxy",
        ),
        count => Finding::ok(WHAT, format!("names {count}")),
    }
}
