//! Names, defaults and meanings.

/// A setting as the README and `.env.example` show it.
pub struct Setting {
    /// Its name in the environment and in `.env`.
    pub name: &'static str,
    /// What holds when it is unset or empty; empty when nothing fixed does.
    pub default: &'static str,
    /// One sentence for the operator.
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
    "Where the data is: sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/DATABASE (append ?sslmode=require for TLS)",
);
pub(super) const HOST: Setting = setting(
    "HOST",
    "127.0.0.1",
    "The IP address to listen on; 0.0.0.0 or :: for all",
);
pub(super) const PORT: Setting = setting("PORT", "8000", "The TCP port to listen on");
pub(super) const JWT_SECRET: Setting = setting(
    "JWT_SECRET",
    "",
    "Signs the access tokens: 32 bytes or more, for instance of `openssl rand -hex 32`; of several, separated by commas, the first signs and all are good; may be left out on a loopback address, where each run then makes its own",
);
pub(super) const JWT_KEY_FILE: Setting = setting(
    "JWT_KEY_FILE",
    "",
    "In place of JWT_SECRET, a PEM file of Ed25519 keys: the first PRIVATE KEY, for instance of `openssl genpkey -algorithm ed25519`, signs the access tokens, and all PRIVATE KEY and PUBLIC KEY blocks are good",
);
pub(super) const ACCESS_TOKEN_EXPIRE_MINUTES: Setting = setting(
    "ACCESS_TOKEN_EXPIRE_MINUTES",
    "60",
    "How long an access token is good for, 1 to 43200 minutes",
);
pub(super) const REFRESH_TOKEN_EXPIRE_DAYS: Setting = setting(
    "REFRESH_TOKEN_EXPIRE_DAYS",
    "30",
    "How long a session lasts after its last refresh, 1 to 365 days",
);
pub(super) const CORS_ALLOWED_ORIGINS: Setting = setting(
    "CORS_ALLOWED_ORIGINS",
    "",
    "Origins whose pages may call the service, separated by commas: https://app.example,http://localhost:5173; none when empty, any with *",
);
pub(super) const AUTO_MIGRATE: Setting = setting(
    "AUTO_MIGRATE",
    "false",
    "Whether `serve` applies pending migrations to PostgreSQL; SQLite is always migrated",
);
pub(super) const PUBLIC_READS: Setting = setting(
    "PUBLIC_READS",
    "false",
    "Whether posts can be read without a token",
);
pub(super) const RATE_LIMIT_REQUESTS: Setting = setting(
    "RATE_LIMIT_REQUESTS",
    "12000/minute",
    "How many requests an address may send: N/second, N/minute, N/hour, or off",
);
pub(super) const RATE_LIMIT_SIGN_UP: Setting = setting(
    "RATE_LIMIT_SIGN_UP",
    "60/hour",
    "How often somebody may sign up from one address",
);
pub(super) const RATE_LIMIT_SIGN_IN: Setting = setting(
    "RATE_LIMIT_SIGN_IN",
    "30/minute",
    "How often somebody may try to sign in from one address",
);
pub(super) const RATE_LIMIT_SIGN_IN_ACCOUNT: Setting = setting(
    "RATE_LIMIT_SIGN_IN_ACCOUNT",
    "10/minute",
    "How often somebody may try to sign in with one e-mail address or username, from all addresses together",
);
pub(super) const RATE_LIMIT_WRITES: Setting = setting(
    "RATE_LIMIT_WRITES",
    "600/minute",
    "How many requests other than GET and HEAD a user may send",
);
pub(super) const TRUSTED_PROXIES: Setting = setting(
    "TRUSTED_PROXIES",
    "",
    "Addresses and networks of the proxies in front, separated by commas: 127.0.0.1,10.0.0.0/8; who their X-Forwarded-For or Forwarded names is the client; none when empty",
);
pub(super) const RUST_LOG: Setting = setting(
    "RUST_LOG",
    "warn,acclaim=info",
    "What is logged: off, error, warn, info, debug, trace, also by module: warn,acclaim=debug",
);
pub(super) const LOG_FORMAT: Setting =
    setting("LOG_FORMAT", "text", "How it is logged: text or json");

/// All settings, in the order in which they are shown.
pub const SETTINGS: [&Setting; 18] = [
    &DATABASE_URL,
    &HOST,
    &PORT,
    &JWT_SECRET,
    &JWT_KEY_FILE,
    &ACCESS_TOKEN_EXPIRE_MINUTES,
    &REFRESH_TOKEN_EXPIRE_DAYS,
    &CORS_ALLOWED_ORIGINS,
    &AUTO_MIGRATE,
    &PUBLIC_READS,
    &RATE_LIMIT_REQUESTS,
    &RATE_LIMIT_SIGN_UP,
    &RATE_LIMIT_SIGN_IN,
    &RATE_LIMIT_SIGN_IN_ACCOUNT,
    &RATE_LIMIT_WRITES,
    &TRUSTED_PROXIES,
    &RUST_LOG,
    &LOG_FORMAT,
];
