//! A database that is lost, unresponsive or locked.

use std::pin::pin;

use acclaim::{config::Origins, db::Db, error::Error};
use futures_util::future::{join_all, poll_immediate};
use migration::Database;

use crate::{
    db::pool::{ENDLESS, SLEEPING, rows},
    harness::{
        Fixture, apply, behaviour, column, postgres_behaviour,
        process::Running,
        proxy::{Link, Proxy},
        service::{Service, User},
        wait_for,
    },
};

/// The database behind `proxy`.
fn database_of(proxy: &Proxy) -> Database {
    Database::parse(proxy.url.as_str()).expect("not the URL of a database")
}

/// A service with a user that reaches its database through a proxy.
async fn serve_by_proxy(fixture: &Fixture) -> (Proxy, Service, User) {
    fixture.migrate().await;
    let proxy = Proxy::to(&fixture.url).await;
    let service = fixture.start(fixture.state(&database_of(&proxy)).await, Origins::Any);
    let user = service.user("ada").await;
    (proxy, service, user)
}

#[apply(postgres_behaviour)]
async fn the_service_recovers_from_a_lost_database(fixture: Fixture) {
    let (proxy, service, ada) = serve_by_proxy(&fixture).await;
    proxy.set(Link::Cut);
    let body = serde_json::json!({"title": "t", "content": "c"});
    let (ready, read, write) = tokio::join!(
        service.call("GET", "/health/ready", None, None),
        service.get("/posts", &ada),
        service.post("/posts", &ada, body.clone()),
    );
    for answer in [ready, read, write] {
        assert_eq!(answer.problem(503)["type"], "/problems/service-unavailable");
    }
    service
        .call("GET", "/health/live", None, None)
        .await
        .expect(200);

    proxy.set(Link::Open);
    service.readiness(200).await;
    service.post("/posts", &ada, body).await.expect(201);
    assert_eq!(
        service
            .get("/posts", &ada)
            .await
            .expect(200)
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[apply(postgres_behaviour)]
async fn the_service_recovers_from_an_unresponsive_database(fixture: Fixture) {
    let (proxy, service, ada) = serve_by_proxy(&fixture).await;
    // More than the pool has connections: some requests wait for a row, others for a connection.
    let reads = || join_all((0..40).map(|_| service.get("/posts", &ada)));
    for answer in reads().await {
        answer.expect(200);
    }
    proxy.set(Link::Silent);
    for answer in reads().await {
        assert_eq!(answer.problem(503)["type"], "/problems/service-unavailable");
    }
    // The database counts as unreachable: requests do not wait for a connection, and only a probe
    // tries one.
    let before = proxy.accepted();
    for answer in reads().await {
        answer.problem(503);
    }
    let health = service.call("GET", "/health/ready", None, None).await;
    health.problem(503);
    let attempts = proxy.accepted() - before;
    assert!(attempts <= 2, "{attempts}");
    proxy.set(Link::Open);
    service.readiness(200).await;
    for answer in reads().await {
        answer.expect(200);
    }
}

fn is_outage(error: &Error) -> bool {
    error
        .with_cause()
        .contains("the database cannot be reached")
}

/// Reads with two connections of `db` until the database counts as unreachable, which opens only one.
async fn until_unreachable(db: &Db) {
    for _ in 0..1_000 {
        // The first keeps the open connection, so that the second needs another.
        let (first, second) = tokio::join!(
            rows(db.read(), "SELECT pg_sleep(0.02)"),
            rows(db.read(), "SELECT 1")
        );
        first.unwrap();
        if is_outage(&second.unwrap_err()) {
            return;
        }
    }
    panic!("the database does not count as unreachable");
}

#[apply(postgres_behaviour)]
async fn open_connections_are_used_while_no_other_can_be_opened(fixture: Fixture) {
    fixture.migrate().await;
    let proxy = Proxy::to(&fixture.url).await;
    let db = Db::open(&database_of(&proxy)).await.unwrap();
    let work = async {
        proxy.set(Link::Full);
        until_unreachable(&db).await;
        for _ in 0..3 {
            rows(db.read(), "SELECT 1").await.unwrap();
        }
    };
    tokio::select! {
        never = db.probe() => match never {},
        () = work => {}
    }
}

#[apply(postgres_behaviour)]
async fn requests_do_not_wait_for_connections_of_an_unreachable_database(fixture: Fixture) {
    fixture.migrate().await;
    let proxy = Proxy::to(&fixture.url).await;
    let db = Db::open_with(&database_of(&proxy), 7).await.unwrap();
    // With two connections, which both hang.
    let worker = db.for_worker();
    let other = fixture.connect().await;
    let hang = || rows(worker.read(), ENDLESS[1]);
    let begun = wait_for(&other, SLEEPING, &["2"]);
    let mut hanging = pin!(async { tokio::join!(hang(), hang()) });
    tokio::select! {
        _ = &mut hanging => panic!("the queries ended"),
        () = begun => {}
    }
    let work = async {
        let mut waiting = pin!(rows(worker.read(), "SELECT 1"));
        assert!(poll_immediate(&mut waiting).await.is_none());
        proxy.set(Link::Full);
        until_unreachable(&db).await;
        for read in [waiting.await, rows(worker.read(), "SELECT 1").await] {
            assert!(is_outage(&read.unwrap_err()));
        }
    };
    tokio::select! {
        never = db.probe() => match never {},
        () = work => {}
    }
}

/// Nothing else uses the database, so that only the statement itself can notice the outage.
#[apply(postgres_behaviour)]
async fn a_statement_without_an_answer_ends_in_an_outage(fixture: Fixture) {
    fixture.migrate().await;
    let proxy = Proxy::to(&fixture.url).await;
    let db = Db::open(&database_of(&proxy)).await.unwrap();
    let proxy = &proxy;
    let write = db.write(async move |transaction| {
        rows(&transaction, "SELECT 1").await?;
        proxy.set(Link::Silent);
        rows(&transaction, "SELECT 1").await
    });
    tokio::select! {
        never = db.probe() => match never {},
        outcome = write => assert!(is_outage(&outcome.unwrap_err())),
    }
}

/// A lock of another program, such as a backup, delays a write but does not fail it.
#[apply(behaviour)]
async fn writes_wait_for_a_locked_database(fixture: Fixture) {
    use sea_orm::{ConnectionTrait, TransactionTrait};
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let lock = fixture.connect().await.begin().await.unwrap();
    let sql = if fixture.is_postgres() {
        "LOCK TABLE posts"
    } else {
        "UPDATE posts SET votes = 0"
    };
    lock.execute_unprepared(sql).await.unwrap();
    let mut write = std::pin::pin!(service.new_post(&ada, "Waits"));
    // Longer than all pauses between the server's retries.
    let early = tokio::time::timeout(std::time::Duration::from_secs(1), &mut write).await;
    assert!(early.is_err(), "the write did not wait");
    lock.commit().await.unwrap();
    let id = write.await;
    service.get(&format!("/posts/{id}"), &ada).await.expect(200);
}

#[apply(behaviour)]
async fn a_vote_for_a_post_that_is_being_deleted_is_not_found(fixture: Fixture) {
    use sea_orm::{ConnectionTrait, TransactionTrait};
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Goes").await;
    let deletion = fixture.connect().await.begin().await.unwrap();
    let delete = format!("DELETE FROM posts WHERE id = {id}");
    deletion.execute_unprepared(&delete).await.unwrap();
    let path = format!("/posts/{id}/vote");
    let mut vote = std::pin::pin!(service.call("PUT", &path, Some(&ada), None));
    let early = tokio::time::timeout(std::time::Duration::from_secs(1), &mut vote).await;
    assert!(early.is_err(), "the vote did not wait");
    deletion.commit().await.unwrap();
    vote.await.problem(404);
}

#[apply(postgres_behaviour)]
async fn a_server_has_no_more_connections_than_its_setting(fixture: Fixture) {
    use sea_orm::{ConnectionTrait, TransactionTrait};
    fixture.migrate().await;
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("DATABASE_CONNECTIONS", "7"),
    ];
    let running = Running::start(fixture.folder(), &settings).await;
    let ada = running.service.user("ada").await;
    let other = fixture.connect().await;
    let ours = "FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'acclaim'";
    let lock = other.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE tokens").await.unwrap();
    let reads = join_all((0..40).map(|_| running.service.get("/tokens", &ada)));
    let unlock = async {
        // Each blocked read keeps a connection, so that the others need further ones.
        let blocked = format!("SELECT count(*) {ours} AND wait_event_type = 'Lock'");
        let mut looks = 0;
        while looks < 100 {
            looks += usize::from(column(&other, &blocked).await != ["0"]);
        }
        lock.commit().await.unwrap();
    };
    let (answers, ()) = tokio::join!(reads, unlock);
    for answer in answers {
        answer.expect(200);
    }
    let count = column(&other, &format!("SELECT count(*) {ours}")).await;
    assert!(count[0].parse::<usize>().unwrap() <= 7, "{count:?}");
}
