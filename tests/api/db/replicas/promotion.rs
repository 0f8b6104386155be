//! Replicas after the promotion of one of them.

use std::time::Instant;

use migration::Database;
use tokio::time::sleep;

use super::{
    super::hosts::{host, with_hosts},
    PATIENCE, PAUSE, Replicated, execute, last, port, read, rename, rotation, serve, title,
    with_port,
};
use crate::harness::{Fixture, apply, postgres_behaviour, wait_for};

/// A position does not tell on which timeline it is.
#[apply(postgres_behaviour)]
async fn a_replica_returns_when_it_follows_the_promoted_one(_fixture: Fixture) {
    let mut replicated = Replicated::start("").await;
    let promoted = replicated.primary.replica().await;
    let fixture = &replicated.fixture;
    let promoted_url = with_port(&fixture.url, port(&promoted.url));
    let hosts = format!("{},{}", host(&fixture.url), host(&promoted_url));
    let url = with_hosts(&fixture.url, &hosts) + "?target_session_attrs=read-write";
    let database = Database::parse(&url).expect("not a URL");
    let (service, db) = serve(fixture, &database, &replicated.replica_url).await;
    let deadline = Instant::now() + PATIENCE;
    let is_late = || assert!(Instant::now() < deadline, "it takes too long");
    let ada = service.user("ada").await;
    let path = format!("/posts/{}", service.new_post(&ada, "Old").await);
    rotation(&db, true).await;

    let second = replicated.on(&promoted).await;
    replicated.primary.end("KILL").await;
    execute(&second, "SELECT pg_promote()").await;
    while rename(&service, &path, &ada, "New").await.status != 200 {
        is_late();
        sleep(PAUSE).await;
    }
    rotation(&db, false).await;
    // It is of the timeline of before. If it got more of the old log than the promoted one, it is ahead too.
    let checked = db.check_replicas().await.remove(0).1;
    let outside = checked.expect_err("it belongs into the rotation");
    let reasons = ["of another timeline", "ahead of that of the primary"];
    let is_known = reasons.iter().any(|reason| outside.contains(reason));
    assert!(is_known, "{outside}");
    let follow = format!(
        "ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port={} user=postgres'",
        port(&promoted.url)
    );
    let replica = replicated.on_replica().await;
    for sql in [&*follow, "SELECT pg_reload_conf()"] {
        execute(&replica, sql).await;
    }
    // It has the write. A checkpoint shows that it has it from the promoted server.
    wait_for(&replica, "SELECT title FROM posts", &["New"]).await;
    while !last(&db).in_rotation {
        is_late();
        execute(&second, "CHECKPOINT").await;
        execute(&replica, "CHECKPOINT").await;
        sleep(PAUSE).await;
    }
    let answer = read(&service, &path, Some(&ada), None).await.expect(200);
    assert_eq!(title(&answer), "New");
    for connection in [second, replica] {
        connection.close().await.expect("not closed");
    }
    drop(promoted);
}
