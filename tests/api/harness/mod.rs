//! Every test gets an empty database and can start servers on it.
//!
//! `#[apply(behaviour)]` turns an async function with a [`Fixture`] parameter into a test on SQLite
//! and on PostgreSQL; `sqlite_behaviour` and `postgres_behaviour` are for what only one of them has.
//! `#[apply(check)]` turns a function without parameters into a test without a database. All register
//! themselves.

pub mod endpoint;
pub mod nginx;
pub mod postgres;
pub mod process;
pub mod proxy;
mod registry;
pub mod runner;
pub mod service;
pub mod statistics;

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use acclaim::{
    config::{Config, ConnectionSettings, Origins},
    db::Db,
    http::{Connections, Drain, Limits, Readiness, State, limits::Streams},
    jobs::{self, Supervisor},
    keys::Keys,
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
};
use actix_web::{dev::ServerHandle, web::ServiceConfig};
pub use macro_rules_attribute::apply;
use migration::{Command, Database, Grants, Role};
pub use registry::{Behaviour, Check, Databases};
pub(crate) use registry::{
    behaviour, check, postgres_behaviour, register_behaviour, sqlite_behaviour,
};
pub use runner::{ignore, run};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};
use service::Service;

/// The limits of `settings`. All others are off.
pub fn limits(settings: &[(&str, &str)]) -> Limits {
    let config = Config::from_lookup(|name| {
        let set = settings.iter().find(|(other, _)| *other == name);
        let off = name.starts_with("RATE_LIMIT_").then_some("off");
        set.map(|(_, value)| *value).or(off).map(str::to_owned)
    });
    Limits::new(&config.expect("invalid settings").limits)
}

/// The settings under which the tests' endpoints get webhooks.
pub const WEBHOOKS_ON_LOOPBACK: [(&str, &str); 2] = [
    ("WEBHOOK_ALLOW_HTTP", "true"),
    ("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8"),
];

/// Webhooks under `settings`.
pub fn webhooks(settings: &[(&str, &str)]) -> Webhooks {
    let config = Config::from_lookup(|name| {
        let set = settings.iter().find(|(other, _)| *other == name);
        set.map(|(_, value)| (*value).to_owned())
    });
    let policy = Policy::new(config.expect("invalid settings").webhooks);
    Webhooks::new(
        Sender::new(policy).expect("no client"),
        routes::render_event,
    )
}

/// The signing secret of the tests' servers.
pub const SECRET: &str = "only-the-tests-sign-with-this-secret";

/// The database of a test.
#[derive(Clone)]
pub enum Kind {
    Sqlite,
    /// The URL of a database whose user may create databases.
    Postgres(String),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres",
        })
    }
}

/// An empty database for one test, and the servers on it.
#[derive(Clone)]
pub struct Fixture {
    pub kind: Kind,
    /// The database, with the role that serves, behind the pooler at `TEST_POOLER_PORT`, if that is set.
    pub url: String,
    /// The database, with the role that owns and migrates it.
    pub owner_url: String,
    folder: Arc<tempfile::TempDir>,
    servers: Arc<Mutex<Vec<(ServerHandle, Supervisor)>>>,
}

impl Fixture {
    pub async fn new(kind: Kind) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().expect("no folder");
        let (url, owner_url) = match &kind {
            Kind::Sqlite => {
                let url = format!("sqlite://{}/test.db", folder.path().display());
                (url.clone(), url)
            }
            Kind::Postgres(server) => {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let name = format!("acclaim_test_{}_{number}", std::process::id());
                execute(server, &format!("CREATE DATABASE {name}")).await;
                let mut url = url::Url::parse(server).expect("not a URL");
                url.set_path(&name);
                let owner_url = url.to_string();
                let role = format!("CREATE ROLE {name} LOGIN PASSWORD 'hidden'");
                // The role of TEST_DATABASE_URL may lack the right. Then it serves itself.
                if try_execute(server, &role).await.is_ok() {
                    url.set_username(&name).expect("no user");
                    url.set_password(Some("hidden")).expect("no password");
                }
                if let Some(port) = pooler(server) {
                    url.set_port(Some(port)).expect("no port");
                }
                (url.to_string(), owner_url)
            }
        };
        Self {
            kind,
            url,
            owner_url,
            folder: Arc::new(folder),
            servers: Arc::default(),
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.kind, Kind::Postgres(_))
    }

    /// True if [`url`](Self::url) leads through a pooler.
    pub fn is_pooled(&self) -> bool {
        matches!(&self.kind, Kind::Postgres(server) if pooler(server).is_some())
    }

    /// A temporary folder for this test. It contains the SQLite file.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn database(&self) -> Database {
        Database::parse(&self.url).expect("not the URL of a database")
    }

    /// The database, with the role that owns it.
    pub fn owned_database(&self) -> Database {
        Database::parse(&self.owner_url).expect("not the URL of a database")
    }

    /// The role that serves, if it is not the owner.
    pub fn serving_role(&self) -> Option<Role> {
        let url = (self.url != self.owner_url).then(|| url::Url::parse(&self.url));
        url.map(|url| url.unwrap().username().parse().unwrap())
    }

    /// Like [`serving_role`](Self::serving_role). The test counts as ignored if it is the owner.
    pub fn separate_role(&self) -> Role {
        let role = self.serving_role();
        role.unwrap_or_else(|| ignore("the role of TEST_DATABASE_URL cannot create roles"))
    }

    /// Applies all migrations, and gives the role that serves its privileges.
    pub async fn migrate(&self) {
        migration::run(&self.owned_database(), &Command::UP)
            .await
            .expect("the migrations failed");
        self.grant().await;
    }

    /// Gives the role that serves its privileges.
    pub async fn grant(&self) {
        if let Some(serve) = self.serving_role() {
            let grants = Grants {
                serve,
                insert: Vec::new(),
                apply: true,
            };
            let granted = migration::grants(&self.owned_database(), &grants).await;
            granted.expect("the privileges could not be granted");
        }
    }

    /// A new connection as the owner, separate from the server's pool.
    pub async fn connect(&self) -> DatabaseConnection {
        sea_orm::Database::connect(&self.owner_url)
            .await
            .expect("no connection")
    }

    /// A server with default settings.
    pub async fn serve(&self) -> Service {
        self.serve_as(false, Origins::These(Vec::new())).await
    }

    pub async fn serve_as(&self, public_reads: bool, origins: Origins) -> Service {
        self.migrate().await;
        let mut state = self.state(&self.database()).await;
        state.public_reads = public_reads;
        self.start(state, origins)
    }

    /// The default state of a server on `database`.
    pub async fn state(&self, database: &Database) -> State {
        State {
            db: Db::open(database).await.expect("cannot open the database"),
            passwords: Passwords::start(2, passwords::QUEUE, None).expect("no threads"),
            rehashes: RehashQueue::default(),
            access_tokens: tokens(Keys::from_secrets(&SECRET.into(), &[])),
            authenticator: Authenticator::default(),
            refresh_lifetime: time::Duration::days(30),
            public_reads: false,
            frontend_url: None,
            exports: Exports::default(),
            imports: Imports::default(),
            removals: Removals::default(),
            quotas: Quotas::default(),
            in_flight: InFlight::default(),
            events: Hub::default(),
            events_keep: time::Duration::days(7),
            webhooks: webhooks(&WEBHOOKS_ON_LOOPBACK),
            streams: Streams::new(4096),
            limits: Limits::default(),
            drain: Drain::default(),
            readiness: Readiness::default(),
            metrics: None,
        }
    }

    /// Starts a server. The database of `state` must be migrated.
    pub fn start(&self, state: State, origins: Origins) -> Service {
        self.start_with(state, origins, routes::configure)
    }

    /// Like [`start`](Self::start), with other routes.
    pub fn start_with(
        &self,
        state: State,
        origins: Origins,
        routes: fn(&mut ServiceConfig),
    ) -> Service {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("no port");
        let address = listener.local_addr().expect("no address");
        let jobs = jobs::start(&state);
        let connections = Connections::new(ConnectionSettings {
            total: 1000,
            per_address: 1000,
            trusted_proxies: Vec::new(),
        });
        let server = server::build(listener, state, connections, origins, 2, routes);
        let server = server.expect("no server");
        self.servers.lock().unwrap().push((server.handle(), jobs));
        tokio::spawn(server);
        Service::new(format!("http://{address}"))
    }

    /// Stops the jobs of the servers, as the end of their processes would.
    pub async fn stop_jobs(&self) {
        let servers = self.servers.lock().unwrap().clone();
        for (_, jobs) in servers {
            jobs.stop().await;
        }
    }

    /// Stops the servers and drops the database.
    pub async fn end(self) {
        let servers = std::mem::take(&mut *self.servers.lock().unwrap());
        for (server, jobs) in servers {
            server.stop(false).await;
            jobs.stop().await;
        }
        if let Kind::Postgres(server) = &self.kind {
            let name = self.url.rsplit('/').next().unwrap_or_default();
            let name = name.split('?').next().unwrap_or_default();
            execute(server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            if let Some(role) = self.serving_role() {
                execute(server, &format!("DROP ROLE {role}")).await;
            }
        }
    }
}

/// The port of a pooler in front of `server`, if that is the one of `TEST_DATABASE_URL`. `tests/pooler` starts one.
fn pooler(server: &str) -> Option<u16> {
    std::env::var("TEST_DATABASE_URL")
        .ok()
        .filter(|url| url == server)?;
    let port = std::env::var("TEST_POOLER_PORT").ok()?;
    Some(port.parse().expect("TEST_POOLER_PORT is not a port"))
}

/// Access tokens signed with `keys`, valid for one hour.
pub fn tokens(keys: Keys) -> AccessTokens {
    AccessTokens::new(keys, Duration::from_hours(1))
}

async fn execute(url: &str, sql: &str) {
    try_execute(url, sql).await.expect(sql);
}

async fn try_execute(url: &str, sql: &str) -> Result<(), DbErr> {
    let connection = sea_orm::Database::connect(url).await.expect("no server");
    let executed = connection.execute_unprepared(sql).await;
    connection
        .close()
        .await
        .expect("cannot close the connection");
    executed.map(drop)
}

/// Inserts `count` posts of user `owner_id`, past the service.
pub async fn insert_posts(
    connection: &DatabaseConnection,
    owner_id: i64,
    count: u32,
    content: &str,
) {
    let columns = "posts (owner_id, title, content, published, tags, created_at, updated_at)";
    let row = format!(
        "{owner_id}, 'Title', '{content}', n % 2 = 0, 'tag', created_at, created_at
         FROM numbers, users WHERE id = {owner_id}"
    );
    insert_numbered(connection, count, columns, &row).await;
}

/// Inserts the rows of `SELECT select`. The table `numbers` has 1 to `count` in its column `n`.
pub async fn insert_numbered(
    connection: &DatabaseConnection,
    count: u32,
    columns: &str,
    select: &str,
) {
    let sql = format!(
        "INSERT INTO {columns} WITH RECURSIVE numbers (n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) SELECT {select}"
    );
    connection.execute_unprepared(&sql).await.expect(columns);
}

/// Waits until the rows of `sql` are `expected`, as [`column`] returns them.
pub async fn wait_for(connection: &DatabaseConnection, sql: &str, expected: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let rows = column(connection, sql).await;
        if rows == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{sql}: still {rows:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The first column of all rows of `sql` as text.
pub async fn column(connection: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect(sql);
    rows.iter()
        .map(|row| {
            row.try_get_by_index::<String>(0)
                .or_else(|_| row.try_get_by_index::<i64>(0).map(|n| n.to_string()))
                .expect("neither text nor a number")
        })
        .collect()
}
