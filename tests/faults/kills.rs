//! Servers that are killed.

use crate::{
    Length,
    harness::{Fixture, apply, behaviour},
    servers::Server,
    storm::Storm,
};

/// On PostgreSQL two servers share the database, and die in turn.
#[apply(behaviour)]
async fn a_killed_server_loses_and_doubles_nothing(fixture: Fixture) {
    let Length { kills, writes, .. } = Length::chosen();
    let mut servers = vec![Server::start(&fixture).await];
    if fixture.is_postgres() {
        servers.push(Server::start(&fixture).await);
    }
    let bases: Vec<String> = servers.iter().map(|server| server.base.clone()).collect();
    let storm = Storm::start(&bases.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let count = servers.len();
    for kill in 0..kills {
        storm.wait_for(writes).await;
        let server = &mut servers[kill % count];
        server.kill().await;
        server.start_again().await;
    }
    storm.wait_for(writes).await;
    storm.end(&fixture).await;
    for server in servers {
        server.stop().await;
    }
}
