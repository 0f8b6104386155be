//! `last_used_at` of sessions and personal access tokens.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::harness::{
    Fixture, apply, behaviour, column,
    service::{Service, User},
};

/// The user `ada` and a token of hers.
async fn user_and_token(service: &Service) -> (User, User) {
    let ada = service.user("ada").await;
    let new = json!({"name": "Bot", "scopes": ["posts:read"]});
    let token = service.post("/tokens", &ada, new).await.expect(201).json();
    let bot = User {
        token: token["token"].as_str().unwrap().to_owned(),
        ..ada.clone()
    };
    (ada, bot)
}

const USED: &str = "SELECT count(*) FROM sessions JOIN tokens USING (user_id)
    WHERE sessions.last_used_at > sessions.created_at AND tokens.last_used_at IS NOT NULL";

async fn used(connection: &DatabaseConnection) -> bool {
    column(connection, USED).await == ["1"]
}

/// Moves the last use of every session into the past, beyond the precision of one minute.
async fn age_sessions(fixture: &Fixture, connection: &DatabaseConnection) {
    let age = if fixture.is_postgres() {
        "UPDATE sessions SET last_used_at = created_at - interval '1 hour',
            created_at = created_at - interval '1 hour'"
    } else {
        "UPDATE sessions SET
            last_used_at = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '-1 hour'),
            created_at = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '-1 hour')"
    };
    connection.execute_unprepared(age).await.expect(age);
}

/// A second server, whose cache is empty, on the database of the first.
async fn serve_again(fixture: &Fixture) -> Service {
    let state = fixture.state(&fixture.database()).await;
    fixture.start(state, acclaim::config::Origins::Any)
}

#[apply(behaviour)]
async fn uses_of_sessions_and_tokens_are_stored_in_the_background(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bot) = user_and_token(&service).await;
    let connection = fixture.connect().await;
    age_sessions(&fixture, &connection).await;
    let service = serve_again(&fixture).await;
    for user in [&ada, &bot] {
        service.get("/posts", user).await.expect(200);
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while !used(&connection).await {
        assert!(Instant::now() < deadline, "the uses are not stored");
        sleep(Duration::from_millis(50)).await;
    }
    let tokens = service.get("/tokens", &ada).await.expect(200).json();
    assert_ne!(tokens[0]["last_used_at"], Value::Null);
}

#[apply(behaviour)]
async fn authentication_does_not_wait_for_a_writer(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bot) = user_and_token(&service).await;
    let connection = fixture.connect().await;
    age_sessions(&fixture, &connection).await;
    let service = serve_again(&fixture).await;
    let writer = fixture.connect().await.begin().await.unwrap();
    // On SQLite, this locks the whole file.
    for lock in [
        "UPDATE sessions SET user_agent = user_agent",
        "UPDATE tokens SET name = name",
    ] {
        writer.execute_unprepared(lock).await.expect(lock);
    }
    for user in [&ada, &bot] {
        // Shorter than every time-out of the databases, and longer than any read takes.
        let read = timeout(Duration::from_secs(4), service.get("/posts", user));
        read.await.expect("the read waits").expect(200);
    }
    assert!(!used(&connection).await);
    writer.rollback().await.unwrap();
}
