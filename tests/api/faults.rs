//! When the database goes away, and when a handler does.

use std::sync::Arc;

use acclaim::{config::Origins, services::auth::passwords::Passwords};
use futures_util::future::join_all;
use migration::Database;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::harness::{Fixture, behaviours};

behaviours![
    a_database_that_goes_away_and_comes_back,
    a_database_that_falls_silent_and_speaks_again,
    a_database_that_is_locked_is_waited_for,
    a_full_password_queue_asks_to_come_back,
    a_vote_for_a_post_that_is_being_deleted_is_not_found,
];

/// A way to the database that can be cut.
struct Way {
    database: Database,
    is: Arc<watch::Sender<Is>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Is {
    Open,
    /// Connections are closed.
    Cut,
    /// Connections stay, and nothing comes through.
    Silent,
}

impl Way {
    async fn to(url: &str) -> Self {
        let mut url = url::Url::parse(url).unwrap();
        let address = (
            url.host_str().unwrap().to_owned(),
            url.port().unwrap_or(5432),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("no port");
        let port = listener.local_addr().expect("no address").port();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        let is = Arc::new(watch::Sender::new(Is::Open));
        let state = Arc::clone(&is);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (mut state, address) = (state.subscribe(), address.clone());
                tokio::spawn(async move {
                    if *state.borrow() == Is::Open {
                        let mut far = TcpStream::connect(address).await.expect("no way");
                        tokio::select! {
                            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                            _ = state.wait_for(|is| *is != Is::Open) => {}
                        }
                    }
                    // What is dropped here is closed.
                    let _ = state.wait_for(|is| *is != Is::Silent).await;
                });
            }
        });
        let database = Database::parse(url.as_str()).unwrap();
        Self { database, is }
    }
}

async fn a_database_that_goes_away_and_comes_back(fixture: Fixture) {
    if !fixture.is_postgres() {
        return;
    }
    fixture.migrate().await;
    let way = Way::to(&fixture.url).await;
    let service = fixture.start(fixture.state(&way.database).await, Origins::Any);
    let ada = service.user("ada").await;
    service
        .call("GET", "/health/ready", None, None)
        .await
        .expect(200);

    way.is.send_replace(Is::Cut);
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

    way.is.send_replace(Is::Open);
    service
        .call("GET", "/health/ready", None, None)
        .await
        .expect(200);
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

async fn a_database_that_falls_silent_and_speaks_again(fixture: Fixture) {
    if !fixture.is_postgres() {
        return;
    }
    fixture.migrate().await;
    let way = Way::to(&fixture.url).await;
    let service = fixture.start(fixture.state(&way.database).await, Origins::Any);
    let ada = service.user("ada").await;
    // More than there are places, so that some wait for an answer and others for a place.
    let reads = || join_all((0..40).map(|_| service.get("/posts", &ada)));
    for answer in reads().await {
        answer.expect(200);
    }
    way.is.send_replace(Is::Silent);
    for answer in reads().await {
        assert_eq!(answer.problem(503)["type"], "/problems/service-unavailable");
    }
    way.is.send_replace(Is::Open);
    for answer in reads().await {
        answer.expect(200);
    }
}

/// Another program's lock (a backup's, say) delays a write and does not fail it.
async fn a_database_that_is_locked_is_waited_for(fixture: Fixture) {
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
    // Longer than all that the server would wait between its tries.
    let early = tokio::time::timeout(std::time::Duration::from_secs(1), &mut write).await;
    assert!(early.is_err(), "the write did not wait");
    lock.commit().await.unwrap();
    let id = write.await;
    service.get(&format!("/posts/{id}"), &ada).await.expect(200);
}

async fn a_full_password_queue_asks_to_come_back(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.passwords = Passwords::start(1, 4).expect("no thread");
    let service = fixture.start(state, Origins::Any);
    let body = serde_json::json!({"username": "nobody", "password": "password"});
    let calls = (0..100).map(|_| service.call("POST", "/login", None, Some(body.clone())));
    let answers = join_all(calls).await;
    let (refused, worked): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 503);
    assert!(
        !refused.is_empty() && worked.len() >= 5,
        "{} were refused",
        refused.len()
    );
    for answer in refused {
        assert_eq!(answer.problem(503)["detail"], "too many sign-ins at once");
    }
    for answer in worked {
        answer.problem(401);
    }
}

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
