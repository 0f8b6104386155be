//! Settings are validated at start, and all errors are reported together.

mod secrets;

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use acclaim::config::{Config, Origins, QuotaSettings, Rate, Sampler};

use crate::harness::{apply, check};

fn read(settings: &[(&str, &str)]) -> Result<Config, String> {
    let settings: HashMap<&str, &str> = settings.iter().copied().collect();
    let lookup = |name: &str| settings.get(name).map(|&value| value.to_owned());
    Config::from_lookup(lookup).map_err(|errors| errors.to_string())
}

#[expect(clippy::unnecessary_wraps, reason = "`None` is off")]
fn rate(count: u32, seconds: u64) -> Option<Rate> {
    Some(Rate {
        count: NonZeroU32::new(count).unwrap(),
        period: Duration::from_secs(seconds),
    })
}

#[apply(check)]
fn every_setting_has_a_default() {
    let config = read(&[("PORT", " "), ("JWT_SECRET", "")]).unwrap();
    assert_eq!(
        config.database.to_string(),
        "the SQLite database `acclaim.db`"
    );
    assert_eq!(
        (config.host.to_string().as_str(), config.port),
        ("127.0.0.1", 8000)
    );
    assert!(config.keys.is_none() && config.public_url.is_none());
    assert_eq!(config.database_connections, 32);
    assert_eq!(config.access_token_lifetime.as_secs(), 3600);
    assert_eq!(config.origins, Origins::These(Vec::new()));
    assert_eq!(config.frontend_url, None);
    assert_eq!(config.metrics, None);
    assert!(config.traces.is_none());
    assert!(!config.auto_migrate && !config.public_reads);
    let quotas = QuotaSettings {
        posts: Some(100_000),
        bytes: Some(1 << 30),
    };
    assert_eq!(config.quotas, quotas);
    let limits = config.limits;
    assert_eq!(limits.requests, rate(12_000, 60));
    assert_eq!(limits.sign_up, rate(60, 3600));
    assert_eq!(limits.sign_in, rate(30, 60));
    assert_eq!(limits.sign_in_account, rate(10, 60));
    assert_eq!(limits.writes, rate(1200, 60));
    assert_eq!(limits.trusted_proxies, []);
}

#[apply(check)]
fn replicas_must_be_of_postgresql() {
    const POSTGRES: &str = "postgres://ada:hidden@a/x";
    for (primary, replicas, error) in [
        (
            "sqlite://acclaim.db",
            POSTGRES,
            "needs a PostgreSQL database in DATABASE_URL, which is SQLite",
        ),
        (
            POSTGRES,
            "sqlite://acclaim.db",
            "a replica must be a PostgreSQL server, and is SQLite",
        ),
        (
            POSTGRES,
            "mysql://ada:hidden@a/x",
            "neither SQLite nor PostgreSQL",
        ),
        (
            POSTGRES,
            "postgres://ada:hidden@a/x?weight=0",
            "`weight` is not one integer from 1 to 100",
        ),
        (
            POSTGRES,
            "postgres://a/x postgres://a/x?weight=1&weight=2",
            "URL 2 of 2: `weight` is not",
        ),
        (
            POSTGRES,
            &format!("{POSTGRES} ").repeat(17),
            "has 17 URLs; expected at most 16",
        ),
    ] {
        let settings = [
            ("DATABASE_URL", primary),
            ("DATABASE_REPLICA_URL", replicas),
        ];
        let errors = read(&settings).unwrap_err();
        assert!(
            errors.contains(&format!("DATABASE_REPLICA_URL: {error}")),
            "{errors}"
        );
        assert!(!errors.contains("hidden"), "{errors}");
    }
}

#[apply(check)]
fn settings_are_parsed() {
    let config = read(&[
        (
            "DATABASE_URL",
            "postgres://ada:hidden@db.example:6000/acclaim?sslmode=require",
        ),
        ("DATABASE_CONNECTIONS", "7"),
        ("HOST", "::"),
        ("PORT", "80"),
        ("PUBLIC_URL", "https://API.example:443/"),
        ("JWT_SECRET", "5f0b1c7e93d24a86bb7d0e58c16f2a39"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "5"),
        (
            "CORS_ALLOWED_ORIGINS",
            "https://App.example/, http://localhost:5173",
        ),
        ("FRONTEND_URL", " HTTPS://App.example#/feed"),
        ("AUTO_MIGRATE", "TRUE"),
        ("PUBLIC_READS", "1"),
        ("QUOTA_POSTS", "1"),
        ("QUOTA_BYTES", "0"),
        ("RATE_LIMIT_REQUESTS", "1000000/second"),
        ("RATE_LIMIT_SIGN_UP", "OFF"),
        ("RATE_LIMIT_SIGN_IN", " 1 / Hour "),
        (
            "TRUSTED_PROXIES",
            "127.0.0.1, 10.0.0.0/8,::1,::ffff:192.0.2.0/120",
        ),
        ("METRICS_ADDR", "[::1]:9464"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otel.example/base/"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "X-Key = a%2Cb%3D,, other=hidden",
        ),
        ("OTEL_SERVICE_NAME", "posts"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
    ])
    .unwrap();
    assert_eq!(config.database_connections, 7);
    let origins = ["https://app.example", "http://localhost:5173"].map(str::to_owned);
    assert_eq!(config.origins, Origins::These(origins.to_vec()));
    assert_eq!(config.public_url.as_deref(), Some("https://api.example"));
    let frontend_url = config.frontend_url.as_ref().map(url::Url::as_str);
    assert_eq!(frontend_url, Some("https://app.example/#/feed"));
    assert_eq!(config.access_token_lifetime.as_secs(), 300);
    assert!(config.auto_migrate && config.public_reads);
    assert_eq!((config.quotas.posts, config.quotas.bytes), (Some(1), None));
    assert_eq!(config.limits.requests, rate(1_000_000, 1));
    assert_eq!(config.limits.sign_up, None);
    assert_eq!(config.limits.sign_in, rate(1, 3600));
    assert_eq!(config.metrics, Some("[::1]:9464".parse().unwrap()));
    let traces = config.traces.as_ref().expect("no traces");
    assert_eq!(
        traces.endpoint.as_str(),
        "https://otel.example/base/v1/traces"
    );
    let headers = [("x-key", "a,b="), ("other", "hidden")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(traces.headers.0, headers);
    assert_eq!(traces.service_name, "posts");
    let sampler = Sampler {
        parent_based: true,
        ratio: 0.25,
    };
    assert_eq!(traces.sampler, sampler);
    let proxies = ["127.0.0.1/32", "10.0.0.0/8", "::1/128", "192.0.2.0/24"];
    let proxies = proxies.map(|network| network.parse().unwrap());
    assert_eq!(config.limits.trusted_proxies, proxies);
    let shown = format!("{config:?} {}", config.database);
    assert!(shown.contains("db.example:6000"), "{shown}");
    assert!(
        !shown.contains("hidden") && !shown.contains("5f0b1c7e93d24a86"),
        "{shown}"
    );
}

#[apply(check)]
fn every_error_is_reported_with_the_name_of_its_setting() {
    let errors = read(&[
        ("DATABASE_URL", "mysql://root:hidden@localhost/x"),
        ("DATABASE_URL_FILE", "no/such/file"),
        ("DATABASE_CONNECTIONS", "6"),
        ("DATABASE_REPLICA_URL", "mysql://root:hidden@localhost/x"),
        ("DATABASE_REPLICA_URL_FILE", "no/such/file"),
        ("HOST", "localhost"),
        ("PORT", "65536"),
        ("PUBLIC_URL", "https://api.example/path"),
        ("JWT_SECRET", "short"),
        ("JWT_SECRET_FILE", "no/such/file"),
        ("JWT_KEY_FILE", "no/such/file"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
        ("REFRESH_TOKEN_EXPIRE_DAYS", "366"),
        ("EVENTS_KEEP", "0"),
        ("WEBHOOK_ALLOW_HTTP", "perhaps"),
        ("WEBHOOK_ALLOWED_HOSTS", "https://hooks.example"),
        ("WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/33"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example/path"),
        ("FRONTEND_URL", "https://ada:hidden@app.example"),
        ("AUTO_MIGRATE", "maybe"),
        ("PUBLIC_READS", "2"),
        ("QUOTA_POSTS", "-1"),
        ("QUOTA_BYTES", "1 GiB"),
        ("RATE_LIMIT_REQUESTS", "0/minute"),
        ("RATE_LIMIT_SIGN_UP", "60"),
        ("RATE_LIMIT_SIGN_IN", "1/day"),
        ("RATE_LIMIT_SIGN_IN_ACCOUNT", "1000001/second"),
        ("RATE_LIMIT_WRITES", "/minute"),
        ("MAX_CONNECTIONS", "0"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "many"),
        ("TRUSTED_PROXIES", "127.0.0.1, proxy.example"),
        ("METRICS_ADDR", "127.0.0.1"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://ada:hidden@otel.example",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a,x key=hidden"),
        ("OTEL_SERVICE_NAME", "a\u{7}b"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("RUST_LOG", "=="),
        ("LOG_FORMAT", "xml"),
    ])
    .unwrap_err();
    for setting in acclaim::config::SETTINGS {
        let line = errors
            .lines()
            .find(|line| line.trim().starts_with(setting.name));
        assert!(
            line.is_some_and(|line| line.len() > setting.name.len() + 10),
            "{errors}"
        );
    }
    assert!(
        !errors.contains("hidden") && !errors.contains("`short`"),
        "{errors}"
    );
}

#[apply(check)]
fn a_front_end_has_an_http_url_without_credentials() {
    for url in [
        "app.example",
        "/feed",
        "ftp://app.example",
        "javascript:alert(1)",
        "https://",
        "https://hidden@app.example",
        "https://:hidden@app.example",
    ] {
        let errors = read(&[("FRONTEND_URL", url)]).unwrap_err();
        let named = errors.contains("FRONTEND_URL: is not an http or https URL");
        assert!(named && !errors.contains("hidden"), "{errors}");
    }
}
