//! Replicas behind a load balancer, which chooses a server for each connection.

use std::time::Instant;

use acclaim::db::Db;

use super::{PATIENCE, Replicated, execute, last, read, rename, rotation, title};
use crate::harness::{Fixture, apply, postgres_behaviour, proxy::Proxy, service::Service};

/// A service whose replica is behind a load balancer, and in the rotation.
async fn behind_balancer(replicated: &Replicated) -> (Service, Db, Proxy) {
    let balancer = Proxy::to(&replicated.replica_url).await;
    let fixture = &replicated.fixture;
    let (service, db) = super::serve(fixture, &fixture.database(), balancer.url.as_str()).await;
    rotation(&db, true).await;
    (service, db, balancer)
}

#[apply(postgres_behaviour)]
async fn only_the_server_whose_position_is_known_answers(_fixture: Fixture) {
    let replicated = Replicated::start("").await;
    let (service, db, balancer) = behind_balancer(&replicated).await;
    balancer.lead_to(&replicated.fixture.url);
    read(&service, "/posts", None, None).await.expect(200);
    assert_eq!(last(&db).reads, 0);
    let fallbacks = db.replica_statistics().fallbacks;
    assert!(fallbacks.contains(&("failed", 1)), "{fallbacks:?}");
    replicated.end().await;
}

/// The first replica stops following, and its connections stay open.
#[apply(postgres_behaviour)]
async fn a_connection_to_the_server_of_before_is_not_used(_fixture: Fixture) {
    let replicated = Replicated::start("").await;
    let (service, db, balancer) = behind_balancer(&replicated).await;
    let ada = service.user("ada").await;
    let path = format!("/posts/{}", service.new_post(&ada, "0").await);
    let deadline = Instant::now() + PATIENCE;
    while last(&db).reads == 0 {
        assert!(Instant::now() < deadline, "the replica does not answer");
        read(&service, &path, None, None).await.expect(200);
    }

    let second = replicated.primary.replica().await;
    balancer.lead_to(&second.url);
    let first = replicated.on_replica().await;
    let end_checks = "SELECT pg_wal_replay_pause();
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE '%pg_is_in_recovery%' AND pid <> pg_backend_pid()";
    execute(&first, end_checks).await;
    let (before, mut number) = (last(&db).reads, 0);
    while last(&db).reads == before {
        assert!(Instant::now() < deadline, "the replica does not answer");
        number += 1;
        let written = number.to_string();
        rename(&service, &path, &ada, &written).await.expect(200);
        let answer = read(&service, &path, Some(&ada), None).await.expect(200);
        assert_eq!(title(&answer), written.as_str());
    }
    first.close().await.expect("not closed");
    drop(second);
    replicated.end().await;
}
