//! Servers that are killed while they deliver webhooks.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::{
    Length,
    harness::{
        Fixture, WEBHOOKS_ON_LOOPBACK, apply, behaviour,
        endpoint::{Endpoint, Reply},
        service::Service,
    },
    servers::Server,
};

/// The posts between two kills.
const POSTS: usize = 5;

/// On PostgreSQL two servers share the deliveries. All of them die at once, because either may have the lease.
#[apply(behaviour)]
async fn a_killed_server_loses_no_delivery(fixture: Fixture) {
    let kills = Length::chosen().kills;
    let mut servers = Vec::new();
    let count = if fixture.is_postgres() { 2 } else { 1 };
    for _ in 0..count {
        let url = &fixture.owner_url;
        servers.push(Server::with(&fixture, url, &WEBHOOKS_ON_LOOPBACK).await);
    }
    let mut endpoint = Endpoint::start().await;
    let first = Service::new(servers[0].base.clone());
    let ada = first.user("ada").await;
    let webhook = json!({"url": endpoint.url, "kinds": "post.created"});
    first.post("/webhooks", &ada, webhook).await.expect(201);
    let connection = fixture.connect().await;
    let mut posts = Vec::new();
    let mut ids = BTreeMap::<i64, Vec<String>>::new();
    let mut got = |message: crate::harness::endpoint::Message| {
        let post = message.event()["post_id"].as_i64().expect("no post");
        ids.entry(post).or_default().push(message.id().to_owned());
        ids.len()
    };
    for kill in 0..kills {
        let server = &mut servers[kill % count];
        // The endpoint keeps the server waiting for an answer to the third.
        endpoint.reply([Reply::status(204), Reply::status(204), Reply::Silence]);
        let service = Service::new(server.base.clone());
        for _ in 0..POSTS {
            posts.push(service.new_post(&ada, "Notes").await);
        }
        for _ in 0..3 {
            got(endpoint.next().await);
        }
        for server in &mut servers {
            server.kill().await;
        }
        // The time of the lease has passed.
        let expire = "UPDATE webhooks SET leased_until = created_at WHERE lease IS NOT NULL";
        connection.execute_unprepared(expire).await.expect(expire);
        for server in &mut servers {
            server.start_again().await;
        }
        while got(endpoint.next().await) < posts.len() {}
    }
    assert_eq!(ids.keys().copied().collect::<Vec<_>>(), posts);
    let mut repeated = 0;
    for ids in ids.values_mut() {
        repeated += ids.len() - 1;
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
    assert!(repeated >= kills, "{repeated}");
    println!(
        "webhooks on {}: {kills} kills, {} events, {repeated} repeated with the same id",
        fixture.kind,
        posts.len()
    );
    for server in servers {
        server.stop().await;
    }
}
