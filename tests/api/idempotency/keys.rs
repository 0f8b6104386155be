//! The key itself.

use reqwest::header::HeaderValue;
use serde_json::json;

use super::{assert_first, assert_problem, assert_replayed, new_post, post};
use crate::harness::{
    Fixture, apply, behaviour, column,
    service::{Answer, User},
};

#[apply(behaviour)]
async fn a_key_has_1_to_255_visible_characters(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let send = async |values: &[&[u8]], user: Option<&User>| {
        let mut request = service.request("POST", "/posts").json(&new_post("Title"));
        if let Some(user) = user {
            request = request.bearer_auth(&user.token);
        }
        for value in values {
            let value = HeaderValue::from_bytes(value).unwrap();
            request = request.header("idempotency-key", value);
        }
        Answer::of(request.send().await.expect("no answer")).await
    };
    let long = |length: usize| "a".repeat(length).into_bytes();
    let quoted = |key: &str| format!("\"{key}\"").into_bytes();
    for values in [
        &[&b""[..]][..],
        &[b"a b"],
        &[b"\"a b\""],
        &[b"\"\""],
        &[b"\""],
        &[b"\"a"],
        &[b"\"a\"b\""],
        &[b"\"a\\b\""],
        &[b"\"a\\\""],
        &["\u{e4}".as_bytes()],
        &[&long(256)],
        &[&quoted(&"a".repeat(256))],
        &[b"a", b"b"],
        &[b"a", b"a"],
    ] {
        let answer = send(values, Some(&ada)).await;
        let problem = assert_problem(&answer, 400, "bad-request");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("`Idempotency-Key`"), "{detail}");
    }
    // Authentication comes first.
    send(&[b""], None).await.problem(401);
    let connection = fixture.connect().await;
    let posts = "SELECT count(*) FROM posts";
    assert_eq!(column(&connection, posts).await, ["0"]);

    for (bare, other) in [
        (long(1), quoted("a")),
        (long(255), quoted(&"a".repeat(255))),
        (b"!~a\"b\\".to_vec(), quoted("!~a\\\"b\\\\")),
    ] {
        let first = send(&[&bare], Some(&ada)).await;
        assert_first(&first);
        assert_replayed(&first, &send(&[&other], Some(&ada)).await);
    }
}

#[apply(behaviour)]
async fn a_key_belongs_to_one_request(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    let new = new_post("Title");
    let first = post(&service, "/posts", Some(&ada), "key", &new).await;
    assert_first(&first);
    for (path, body) in [
        ("/posts", new_post("Other")),
        ("/posts?a=b", new.clone()),
        ("/posts", json!({})),
        ("/vote", json!({"post_id": id, "dir": 1})),
        ("/tokens", new.clone()),
    ] {
        let answer = post(&service, path, Some(&ada), "key", &body).await;
        assert_problem(&answer, 422, "idempotency-key-reused");
    }
    let again = post(&service, "/posts/", Some(&ada), "key", &new).await;
    assert_replayed(&first, &again);
    let connection = fixture.connect().await;
    for (table, rows) in [("posts", "2"), ("votes", "0"), ("tokens", "0")] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(column(&connection, &count).await, [rows], "{table}");
    }
}

#[apply(behaviour)]
async fn the_keys_of_users_are_independent(fixture: Fixture) {
    let service = fixture.serve().await;
    let users = [service.user("ada").await, service.user("grace").await];
    let new = new_post("Title");
    let mut answers = Vec::new();
    for user in &users {
        let first = post(&service, "/posts", Some(user), "key", &new).await;
        assert_first(&first);
        assert_eq!(first.json()["owner_id"], user.id);
        answers.push(first);
    }
    for (user, first) in users.iter().zip(&answers) {
        let again = post(&service, "/posts", Some(user), "key", &new).await;
        assert_replayed(first, &again);
    }
    // A sign-up has no caller.
    let body = json!({"email": "eve@example.com", "password": "correct horse"});
    let eve = post(&service, "/users", None, "key", &body).await;
    assert_first(&eve);
}

#[apply(behaviour)]
async fn a_request_that_fails_leaves_its_key_free(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let invalid = json!({"title": "", "content": "c"});
    let failures = [
        ("/posts", invalid, 422),
        ("/vote", json!({"post_id": 42, "dir": 1}), 404),
        ("/vote", json!({"post_id": 42, "dir": 0}), 404),
        ("/tokens", json!({"name": "Bot", "scopes": ["magic"]}), 422),
    ];
    for (path, body, status) in &failures {
        let answer = post(&service, path, Some(&ada), "key", body).await;
        answer.problem(*status);
        assert_eq!(answer.header("idempotency-replayed"), None);
    }
    let taken = json!({"email": "ada@example.com", "password": "correct horse"});
    let answer = post(&service, "/users", None, "key", &taken).await;
    assert_problem(&answer, 409, "email-taken");
    let connection = fixture.connect().await;
    let keys = "SELECT count(*) FROM idempotency_keys";
    assert_eq!(column(&connection, keys).await, ["0"]);
    let first = post(&service, "/posts", Some(&ada), "key", &new_post("Title")).await;
    assert_first(&first);
}
