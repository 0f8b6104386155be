//! Statistics under kills.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    Length,
    harness::{
        Fixture, apply, behaviour, column,
        service::{Service, User},
        statistics::{Days, assert_exact},
    },
    servers::Server,
};

/// Concurrent clients.
const CLIENTS: usize = 8;
/// Posts that they change have ids up to this one.
const POSTS: i64 = 200;

/// Changes posts and votes at random, until `stop`. Requests may fail.
async fn change(
    services: Vec<Service>,
    user: User,
    done: Arc<AtomicUsize>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let service = &services[rand::random_range(0..services.len())];
        let id = rand::random_range(1..=POSTS);
        let tag = format!("t{}", id % 7);
        let published = rand::random_bool(0.8);
        let body = json!({"title": "t", "content": "c", "tags": [tag], "published": published});
        let (method, path, body) = match rand::random_range(0..10) {
            0..=2 => ("POST", "/posts".to_owned(), Some(body)),
            3 => ("PATCH", format!("/posts/{id}"), Some(body)),
            4 => ("DELETE", format!("/posts/{id}"), None),
            5 => ("DELETE", format!("/posts/{id}/vote"), None),
            _ => ("PUT", format!("/posts/{id}/vote"), None),
        };
        let mut request = service.request(method, &path).bearer_auth(&user.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        match request.timeout(Duration::from_secs(30)).send().await {
            Ok(_) => drop(done.fetch_add(1, Ordering::SeqCst)),
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// The statistics count each event once, wherever the job that folds them is killed.
#[apply(behaviour)]
async fn killed_servers_leave_exact_statistics(fixture: Fixture) {
    let (kills, writes) = if Length::is_full() {
        (20, 400)
    } else {
        (3, 100)
    };
    let mut servers = vec![Server::start(&fixture).await];
    if fixture.is_postgres() {
        servers.push(Server::start(&fixture).await);
    }
    let services: Vec<_> = servers
        .iter()
        .map(|server| Service::new(server.base.clone()))
        .collect();
    let (done, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let user = services[0].user(&format!("client{number}")).await;
        let client = change(services.clone(), user, Arc::clone(&done), stop.clone());
        clients.push(tokio::spawn(client));
    }
    let connection = fixture.connect().await;
    let count = servers.len();
    for kill in 0..kills {
        let deadline = Instant::now() + Duration::from_mins(2);
        let target = done.load(Ordering::SeqCst) + writes;
        while done.load(Ordering::SeqCst) < target {
            assert!(Instant::now() < deadline, "no changes");
            sleep(Duration::from_millis(5)).await;
        }
        // The posts of a user disappear and appear again meanwhile.
        let to = ["'2026-11-21T06:00:42Z'", "NULL"][kill % 2];
        let suspend = format!("UPDATE users SET suspended_at = {to} WHERE username = 'client1'");
        connection
            .execute_unprepared(&suspend)
            .await
            .expect("not suspended");
        // The job folds once a second: kill it at any time of that.
        sleep(Duration::from_millis(rand::random_range(0..1_000))).await;
        let server = &mut servers[kill % count];
        server.kill().await;
        server.start_again().await;
    }
    stop.cancel();
    for client in clients {
        client.await.expect("a client failed");
    }
    assert_exact(&fixture, Days::OfLog).await;
    let counted = column(
        &connection,
        "SELECT position || ' events, ' || posts || ' posts, ' || votes || ' votes' FROM statistics",
    )
    .await;
    eprintln!(
        "{}: exact after {kills} kills: {}",
        fixture.kind, counted[0]
    );
    for server in servers {
        server.stop().await;
    }
}
