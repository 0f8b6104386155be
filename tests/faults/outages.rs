//! PostgreSQL servers that crash, are away, freeze or are full, and networks that stop.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tokio::time::sleep;

use crate::{
    Length,
    harness::{Fixture, Kind, apply, postgres::OwnServer, postgres_behaviour},
    servers::Server,
    storm::Storm,
};

/// A storm against two servers of one PostgreSQL of its own.
struct Outage {
    postgres: OwnServer,
    fixture: Fixture,
    servers: [Server; 2],
    storm: Storm,
}

impl Outage {
    async fn prepare() -> Self {
        let postgres = OwnServer::start().await;
        let fixture = Fixture::new(Kind::Postgres(postgres.url.clone())).await;
        let servers = [Server::start(&fixture).await, Server::start(&fixture).await];
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

    /// Ends after the fault named `fault`. The database was back at `returned`.
    async fn finish(self, fault: &str, returned: Instant) {
        self.storm.wait_for(Length::chosen().writes).await;
        let first = self.storm.seen().first_success.expect("no success");
        let after = first.saturating_duration_since(returned);
        eprintln!("{fault}: first success {after:?} after the return");
        self.storm.end(&self.fixture).await;
        for server in self.servers {
            server.stop().await;
        }
        self.fixture.end().await;
        drop(self.postgres);
    }
}

#[apply(postgres_behaviour)]
async fn a_crash_of_postgresql_loses_and_doubles_nothing(_unused: Fixture) {
    let mut outage = Outage::prepare().await;
    for _ in 0..Length::chosen().kills.div_ceil(10) {
        outage.storm.wait_for(Length::chosen().writes).await;
        outage.postgres.end("KILL").await;
        outage.storm.reset();
        outage.postgres.start_again().await;
    }
    outage.finish("PostgreSQL crashed", Instant::now()).await;
}

#[apply(postgres_behaviour)]
async fn an_absence_of_postgresql_loses_and_doubles_nothing(_unused: Fixture) {
    let mut outage = Outage::prepare().await;
    outage.postgres.end("INT").await;
    // The first failures tell the servers that it is away.
    sleep(Duration::from_secs(2)).await;
    eprintln!("PostgreSQL ended: {}", outage.storm.reset());
    sleep(Length::chosen().outage).await;
    eprintln!("PostgreSQL away: {}", outage.storm.reset());
    outage.postgres.start_again().await;
    outage.finish("PostgreSQL was away", Instant::now()).await;
}

#[apply(postgres_behaviour)]
async fn a_frozen_postgresql_loses_and_doubles_nothing(_unused: Fixture) {
    let outage = Outage::prepare().await;
    outage.postgres.signal_all("STOP");
    sleep(Length::chosen().outage).await;
    eprintln!("PostgreSQL frozen: {}", outage.storm.reset());
    outage.postgres.signal_all("CONT");
    outage.finish("PostgreSQL was frozen", Instant::now()).await;
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
    eprintln!(
        "PostgreSQL full, {} others: {}",
        others.len(),
        outage.storm.reset()
    );
    for other in others {
        other.close().await.expect("not closed");
    }
    outage.finish("PostgreSQL was full", Instant::now()).await;
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
