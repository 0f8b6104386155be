//! PostgreSQL servers that crash, are away, freeze or are full, and a proxy before them that stops.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tokio::time::sleep;

use crate::{
    Length, at_most,
    harness::{
        Fixture, Kind, apply,
        postgres::OwnServer,
        postgres_behaviour,
        proxy::{Link, Proxy},
    },
    servers::Server,
    storm::{Seen, Storm},
};

/// The time after which the servers know that PostgreSQL is away.
const UNTIL_KNOWN: Duration = Duration::from_secs(2);
/// Maximum time to a 503 once they know.
const REFUSAL: Duration = Duration::from_millis(50);
/// Maximum time from the return of PostgreSQL to the first success.
const RECOVERY: Duration = Duration::from_secs(1);
/// Maximum time of a request.
const WAIT: Duration = Duration::from_secs(5);

/// A storm against two servers of one PostgreSQL of its own.
struct Outage {
    postgres: OwnServer,
    fixture: Fixture,
    servers: [Server; 2],
    storm: Storm,
}

impl Outage {
    async fn prepare() -> Self {
        let (postgres, fixture) = own().await;
        let url = fixture.owner_url.clone();
        Self::begin(postgres, fixture, &url).await
    }

    /// The servers reach the database of `fixture` at `url`.
    async fn begin(postgres: OwnServer, fixture: Fixture, url: &str) -> Self {
        let start = || Server::with(&fixture, url, &[]);
        let servers = [start().await, start().await];
        let storm = Storm::start(&[&servers[0].base, &servers[1].base]).await;
        storm.wait_for(Length::chosen().writes).await;
        storm.reset();
        Self {
            postgres,
            fixture,
            servers,
            storm,
        }
    }

    /// Prints what was seen since the last call, during the `fault`.
    fn print(&self, fault: &str) -> Seen {
        let seen = self.storm.reset();
        eprintln!("{fault}: {seen}");
        at_most(seen.slowest, WAIT, fault);
        seen
    }

    /// Ends after the fault. The database was back at `returned`.
    async fn finish(self, returned: Instant) {
        self.storm.wait_for(Length::chosen().writes).await;
        let first = self.storm.seen().first_success.expect("no success");
        let after = first.saturating_duration_since(returned);
        eprintln!("first success {after:?} after the return");
        let seen = self.storm.end(&self.fixture).await;
        for server in self.servers {
            server.stop().await;
        }
        self.fixture.end().await;
        drop(self.postgres);
        at_most(after, RECOVERY, "the first success after the return");
        at_most(seen.slowest, WAIT, "the slowest request after the return");
    }
}

/// A PostgreSQL, with a database.
async fn own() -> (OwnServer, Fixture) {
    let postgres = OwnServer::start().await;
    let fixture = Fixture::new(Kind::Postgres(postgres.url.clone())).await;
    (postgres, fixture)
}

#[apply(postgres_behaviour)]
async fn a_crash_of_postgresql_loses_and_doubles_nothing(_unused: Fixture) {
    let mut outage = Outage::prepare().await;
    let mut returned = Instant::now();
    for _ in 0..Length::chosen().kills.div_ceil(10) {
        outage.storm.wait_for(Length::chosen().writes).await;
        outage.postgres.end("KILL").await;
        outage.print("PostgreSQL crashed");
        outage.postgres.start_again().await;
        returned = Instant::now();
    }
    outage.finish(returned).await;
}

#[apply(postgres_behaviour)]
async fn an_absence_of_postgresql_loses_and_doubles_nothing(_unused: Fixture) {
    let mut outage = Outage::prepare().await;
    outage.postgres.end("INT").await;
    sleep(UNTIL_KNOWN).await;
    outage.print("PostgreSQL ended");
    sleep(Length::chosen().outage).await;
    let away = outage.print("PostgreSQL is known to be away");
    at_most(away.slowest_refusal, REFUSAL, "the slowest 503");
    outage.postgres.start_again().await;
    outage.finish(Instant::now()).await;
}

#[apply(postgres_behaviour)]
async fn a_frozen_postgresql_loses_and_doubles_nothing(_unused: Fixture) {
    let outage = Outage::prepare().await;
    outage.postgres.signal_all("STOP");
    sleep(Length::chosen().outage).await;
    outage.print("PostgreSQL was frozen");
    outage.postgres.signal_all("CONT");
    outage.finish(Instant::now()).await;
}

/// What the servers sent meanwhile reaches PostgreSQL later, when they have given up.
#[apply(postgres_behaviour)]
async fn a_proxy_that_stops_forwarding_loses_and_doubles_nothing(_unused: Fixture) {
    let (postgres, fixture) = own().await;
    let proxy = Proxy::to(&fixture.owner_url).await;
    let outage = Outage::begin(postgres, fixture, proxy.url.as_str()).await;
    proxy.set(Link::Silent);
    sleep(Length::chosen().outage).await;
    outage.print("the proxy stopped");
    proxy.set(Link::Open);
    outage.finish(Instant::now()).await;
}

/// Others hold all connections that PostgreSQL accepts, and end those of the servers.
#[apply(postgres_behaviour)]
async fn a_full_postgresql_loses_and_doubles_nothing(_unused: Fixture) {
    let outage = Outage::prepare().await;
    let mut others = Vec::new();
    fill(&outage.postgres.url, &mut others).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname LIKE 'acclaim_test%'";
    // The servers connect again at once, and get some of the places.
    for _ in 0..10 {
        others[0].execute_unprepared(end).await.expect("not ended");
        fill(&outage.postgres.url, &mut others).await;
    }
    sleep(Length::chosen().outage).await;
    outage.print(&format!("PostgreSQL was full of {} others", others.len()));
    for other in others {
        other.close().await.expect("not closed");
    }
    outage.finish(Instant::now()).await;
}

/// Connects until PostgreSQL refuses.
async fn fill(url: &str, connections: &mut Vec<DatabaseConnection>) {
    loop {
        let connecting = (0..20).map(|_| {
            let mut options = ConnectOptions::new(url);
            options
                .max_connections(1)
                .connect_timeout(Duration::from_secs(1));
            Database::connect(options)
        });
        let before = connections.len();
        connections.extend(join_all(connecting).await.into_iter().flatten());
        if connections.len() < before + 20 {
            return;
        }
    }
}
