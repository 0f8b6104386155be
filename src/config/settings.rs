//! Declares every setting: its name, default and meaning.

/// A setting, as documented in `docs/settings.md` and `.env.example`.
pub struct Setting {
    /// The name of the environment variable.
    pub name: &'static str,
    /// The value used if the setting is unset or empty. Empty if there is no fixed default.
    pub default: &'static str,
    /// The description for the operator.
    pub meaning: &'static str,
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting {
        name,
        default,
        meaning,
    }
}

pub(super) const DATABASE_URL: Setting = setting(
    "DATABASE_URL",
    "sqlite://acclaim.db",
    "The database URL: sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/DATABASE (append ?sslmode=require for TLS), or with a comma-separated list of HOST:PORT, of which ?target_session_attrs=read-write selects the one that accepts writes",
);
pub(super) const DATABASE_URL_FILE: Setting = setting(
    "DATABASE_URL_FILE",
    "",
    "A file that contains the database URL, to use in place of DATABASE_URL",
);
pub(super) const DATABASE_CONNECTIONS: Setting = setting(
    "DATABASE_CONNECTIONS",
    "32",
    "The maximum number of PostgreSQL connections of this process, 7 to 1000, to the primary and to each replica. PostgreSQL's max_connections must suffice for all servers",
);
pub(super) const DATABASE_REPLICA_URL: Setting = setting(
    "DATABASE_REPLICA_URL",
    "",
    "The URLs of PostgreSQL replicas that answer reads, separated by spaces. `weight=2` among the parameters of a URL gives a replica twice the share of one without",
);
pub(super) const DATABASE_REPLICA_URL_FILE: Setting = setting(
    "DATABASE_REPLICA_URL_FILE",
    "",
    "A file that contains the URLs of the replicas, to use in place of DATABASE_REPLICA_URL",
);
pub(super) const HOST: Setting = setting(
    "HOST",
    "127.0.0.1",
    "The IP address to listen on; use 0.0.0.0 or :: for all interfaces",
);
pub(super) const PORT: Setting = setting("PORT", "8000", "The TCP port to listen on");
pub(super) const PUBLIC_URL: Setting = setting(
    "PUBLIC_URL",
    "",
    "The URL at which clients reach the service, such as https://api.example, for its OAuth 2.0 metadata and as iss of access tokens. If unset, the metadata has the host of the request, and iss is acclaim",
);
pub(super) const JWT_SECRET: Setting = setting(
    "JWT_SECRET",
    "",
    "The HS256 secret for access tokens, at least 32 bytes, such as the output of `openssl rand -hex 32`. In a comma-separated list, the first secret signs and all of them verify. Optional if HOST is a loopback address; each start then generates a random secret",
);
pub(super) const JWT_SECRET_FILE: Setting = setting(
    "JWT_SECRET_FILE",
    "",
    "A file that contains the secret, to use in place of JWT_SECRET",
);
pub(super) const JWT_KEY_FILE: Setting = setting(
    "JWT_KEY_FILE",
    "",
    "A PEM file of Ed25519 keys, to use in place of JWT_SECRET. The first PRIVATE KEY, such as the output of `openssl genpkey -algorithm ed25519`, signs access tokens; all PRIVATE KEY and PUBLIC KEY blocks verify them",
);
pub(super) const ACCESS_TOKEN_EXPIRE_MINUTES: Setting = setting(
    "ACCESS_TOKEN_EXPIRE_MINUTES",
    "60",
    "The lifetime of an access token, 1 to 43200 minutes",
);
pub(super) const REFRESH_TOKEN_EXPIRE_DAYS: Setting = setting(
    "REFRESH_TOKEN_EXPIRE_DAYS",
    "30",
    "The lifetime of a session after its last refresh, 1 to 365 days",
);
pub(super) const EVENTS_KEEP: Setting = setting(
    "EVENTS_KEEP",
    "7",
    "The number of days for which the event log keeps events, 1 to 365. A client that was away for longer reads the present state instead",
);
pub(super) const WEBHOOK_ALLOW_HTTP: Setting = setting(
    "WEBHOOK_ALLOW_HTTP",
    "false",
    "Whether webhooks may have http URLs too: their content can be read and changed on the way",
);
pub(super) const WEBHOOK_ALLOWED_HOSTS: Setting = setting(
    "WEBHOOK_ALLOWED_HOSTS",
    "",
    "A comma-separated list of the hosts of webhooks, such as hooks.example.com,*.example.org; if unset, every host is allowed",
);
pub(super) const WEBHOOK_ALLOWED_NETWORKS: Setting = setting(
    "WEBHOOK_ALLOWED_NETWORKS",
    "",
    "A comma-separated list of IP addresses and networks, such as 10.1.2.0/24, to which webhooks are delivered although they are not public. Users can then send requests to every server there",
);
pub(super) const CORS_ALLOWED_ORIGINS: Setting = setting(
    "CORS_ALLOWED_ORIGINS",
    "",
    "A comma-separated list of origins that CORS allows, such as https://app.example,http://localhost:5173; * allows any origin, an empty list allows none",
);
pub(super) const FRONTEND_URL: Setting = setting(
    "FRONTEND_URL",
    "",
    "The http or https URL of a front end, such as https://app.example, which GET / links to; CORS_ALLOWED_ORIGINS must list its origin as well if that is not the service's own",
);
pub(super) const AUTO_MIGRATE: Setting = setting(
    "AUTO_MIGRATE",
    "false",
    "Whether `serve` applies pending migrations to PostgreSQL; on SQLite it always does",
);
pub(super) const PUBLIC_READS: Setting = setting(
    "PUBLIC_READS",
    "false",
    "Whether posts are readable without a token",
);
pub(super) const QUOTA_POSTS: Setting = setting(
    "QUOTA_POSTS",
    "100000",
    "The maximum number of posts of a user, drafts included; 0 for no limit. A lower number deletes nothing",
);
pub(super) const QUOTA_BYTES: Setting = setting(
    "QUOTA_BYTES",
    "1073741824",
    "The maximum size of all titles, contents, metadata and stored responses (`Idempotency-Key`) of a user together, in bytes of UTF-8; 0 for no limit",
);
pub(super) const RATE_LIMIT_REQUESTS: Setting = setting(
    "RATE_LIMIT_REQUESTS",
    "12000/minute",
    "The limit of requests per IP address: N/second, N/minute, N/hour or off",
);
pub(super) const RATE_LIMIT_SIGN_UP: Setting = setting(
    "RATE_LIMIT_SIGN_UP",
    "60/hour",
    "The limit of sign-ups per IP address",
);
pub(super) const RATE_LIMIT_SIGN_IN: Setting = setting(
    "RATE_LIMIT_SIGN_IN",
    "30/minute",
    "The limit of sign-in attempts per IP address",
);
pub(super) const RATE_LIMIT_SIGN_IN_ACCOUNT: Setting = setting(
    "RATE_LIMIT_SIGN_IN_ACCOUNT",
    "10/minute",
    "The limit of sign-in attempts per e-mail address or username, across all IP addresses",
);
pub(super) const RATE_LIMIT_WRITES: Setting = setting(
    "RATE_LIMIT_WRITES",
    "1200/minute",
    "The limit of requests other than GET and HEAD per user. Each row of /posts/bulk counts as one",
);
pub(super) const MAX_CONNECTIONS: Setting = setting(
    "MAX_CONNECTIONS",
    "4096",
    "The maximum number of open connections. At the limit, a new connection replaces the one that has been idle for longest",
);
pub(super) const MAX_CONNECTIONS_PER_ADDRESS: Setting = setting(
    "MAX_CONNECTIONS_PER_ADDRESS",
    "256",
    "The maximum number of open connections per IP address; it does not apply to TRUSTED_PROXIES",
);
pub(super) const TRUSTED_PROXIES: Setting = setting(
    "TRUSTED_PROXIES",
    "",
    "A comma-separated list of reverse proxies, as IP addresses or networks, such as 127.0.0.1,10.0.0.0/8. The client address is taken from the X-Forwarded-For or Forwarded header only if one of them sent the request",
);
pub(super) const METRICS_ADDR: Setting = setting(
    "METRICS_ADDR",
    "",
    "The IP address and port on which GET /metrics serves OpenMetrics, such as 127.0.0.1:9464; if unset, nothing is measured. It has no authentication: keep it from the public",
);
pub(super) const OTEL_EXPORTER_OTLP_ENDPOINT: Setting = setting(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "",
    "The URL of an OpenTelemetry collector that takes OTLP over HTTP with protobuf, such as http://127.0.0.1:4318; if unset, there are no traces. /v1/traces is appended",
);
pub(super) const OTEL_EXPORTER_OTLP_HEADERS: Setting = setting(
    "OTEL_EXPORTER_OTLP_HEADERS",
    "",
    "A comma-separated list of headers for the collector, NAME=VALUE with percent-encoded values, such as an API key",
);
pub(super) const OTEL_SERVICE_NAME: Setting = setting(
    "OTEL_SERVICE_NAME",
    "acclaim",
    "The name of this service in traces",
);
pub(super) const OTEL_TRACES_SAMPLER: Setting = setting(
    "OTEL_TRACES_SAMPLER",
    "parentbased_always_on",
    "The requests with a trace: always_on, always_off or traceidratio; with the prefix parentbased_, a request with the header traceparent has one if the caller says so",
);
pub(super) const OTEL_TRACES_SAMPLER_ARG: Setting = setting(
    "OTEL_TRACES_SAMPLER_ARG",
    "1",
    "The share of requests for traceidratio and parentbased_traceidratio, 0 to 1",
);
pub(super) const RUST_LOG: Setting = setting(
    "RUST_LOG",
    "warn,acclaim=info",
    "The log level: off, error, warn, info, debug or trace; per-module directives such as warn,acclaim=debug are allowed",
);
pub(super) const LOG_FORMAT: Setting =
    setting("LOG_FORMAT", "text", "The log format: text or json");

/// All settings, in the order of the documentation.
pub const SETTINGS: [&Setting; 39] = [
    &DATABASE_URL,
    &DATABASE_URL_FILE,
    &DATABASE_CONNECTIONS,
    &DATABASE_REPLICA_URL,
    &DATABASE_REPLICA_URL_FILE,
    &HOST,
    &PORT,
    &PUBLIC_URL,
    &JWT_SECRET,
    &JWT_SECRET_FILE,
    &JWT_KEY_FILE,
    &ACCESS_TOKEN_EXPIRE_MINUTES,
    &REFRESH_TOKEN_EXPIRE_DAYS,
    &EVENTS_KEEP,
    &WEBHOOK_ALLOW_HTTP,
    &WEBHOOK_ALLOWED_HOSTS,
    &WEBHOOK_ALLOWED_NETWORKS,
    &CORS_ALLOWED_ORIGINS,
    &FRONTEND_URL,
    &AUTO_MIGRATE,
    &PUBLIC_READS,
    &QUOTA_POSTS,
    &QUOTA_BYTES,
    &RATE_LIMIT_REQUESTS,
    &RATE_LIMIT_SIGN_UP,
    &RATE_LIMIT_SIGN_IN,
    &RATE_LIMIT_SIGN_IN_ACCOUNT,
    &RATE_LIMIT_WRITES,
    &MAX_CONNECTIONS,
    &MAX_CONNECTIONS_PER_ADDRESS,
    &TRUSTED_PROXIES,
    &METRICS_ADDR,
    &OTEL_EXPORTER_OTLP_ENDPOINT,
    &OTEL_EXPORTER_OTLP_HEADERS,
    &OTEL_SERVICE_NAME,
    &OTEL_TRACES_SAMPLER,
    &OTEL_TRACES_SAMPLER_ARG,
    &RUST_LOG,
    &LOG_FORMAT,
];
