//! Sign-ups have no caller, and a password.

use acclaim::config::Origins;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{assert_first, assert_problem, assert_replayed, post};
use crate::harness::{Fixture, apply, behaviour, column, limits, service::PASSWORD};

fn sign_up(email: &str, username: &str, password: &str) -> Value {
    json!({"email": email, "username": username, "password": password})
}

#[apply(behaviour)]
async fn a_repeated_sign_up_needs_the_same_password(fixture: Fixture) {
    let service = fixture.serve().await;
    let new = sign_up("ada@example.com", "ada", PASSWORD);
    let first = post(&service, "/users", None, "key", &new).await;
    assert_first(&first);
    for (email, username, password) in [
        ("ada@example.com", "ada", "battery staple"),
        ("ada@example.com", "grace", PASSWORD),
        ("grace@example.com", "ada", PASSWORD),
        ("grace@example.com", "grace", PASSWORD),
    ] {
        let other = sign_up(email, username, password);
        let answer = post(&service, "/users", None, "key", &other).await;
        assert_problem(&answer, 422, "idempotency-key-reused");
    }
    // The service converts both names.
    let same = sign_up("Ada@Example.com ", "ADA", PASSWORD);
    for body in [&new, &same] {
        let again = post(&service, "/users", None, "key", body).await;
        assert_replayed(&first, &again);
    }
    let ada = service.sign_in("ada", PASSWORD).await;
    let change = json!({"password": "battery staple", "current_password": PASSWORD});
    let changed = service.call("PATCH", "/users/me", Some(&ada), Some(change));
    changed.await.expect(200);
    let again = post(&service, "/users", None, "key", &new).await;
    assert_problem(&again, 422, "idempotency-key-reused");
}

/// A thief of the database could guess the password of a quick hash.
#[apply(behaviour)]
async fn the_stored_hash_does_not_depend_on_the_password(fixture: Fixture) {
    let service = fixture.serve().await;
    let connection = fixture.connect().await;
    let mut hashes = Vec::new();
    for password in [PASSWORD, "battery staple"] {
        let new = sign_up("ada@example.com", "ada", password);
        assert_first(&post(&service, "/users", None, "key", &new).await);
        hashes.push(column(&connection, "SELECT request_hash FROM idempotency_keys").await);
        let delete = "DELETE FROM users";
        connection.execute_unprepared(delete).await.expect(delete);
    }
    assert_eq!(hashes[0], hashes[1]);
}

/// Otherwise someone who knows the key could guess the password without a limit per account.
#[apply(behaviour)]
async fn repeated_sign_ups_count_as_attempts_at_the_password(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    // An account admits twice as many.
    state.limits = limits(&[("RATE_LIMIT_SIGN_IN_ACCOUNT", "1/hour")]);
    let service = fixture.start(state, Origins::These(Vec::new()));
    let new = sign_up("ada@example.com", "ada", PASSWORD);
    let first = post(&service, "/users", None, "key", &new).await;
    assert_first(&first);
    for _ in 0..2 {
        let wrong = sign_up("ada@example.com", "ada", "battery staple");
        let answer = post(&service, "/users", None, "key", &wrong).await;
        assert_problem(&answer, 422, "idempotency-key-reused");
    }
    let again = post(&service, "/users", None, "key", &new).await;
    assert_problem(&again, 422, "idempotency-key-reused");
}
