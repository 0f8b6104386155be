//! Requests with an `Idempotency-Key`.

mod conflicts;
mod declared;
mod keys;
mod replay;
mod sign_up;
mod stored;

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::harness::service::{Answer, Service, User};

/// A POST with a key.
fn request(
    service: &Service,
    path: &str,
    user: Option<&User>,
    key: &str,
    body: &Value,
) -> RequestBuilder {
    let request = service
        .request("POST", path)
        .header("idempotency-key", key)
        .json(body);
    match user {
        Some(user) => request.bearer_auth(&user.token),
        None => request,
    }
}

async fn post(
    service: &Service,
    path: &str,
    user: Option<&User>,
    key: &str,
    body: &Value,
) -> Answer {
    let request = request(service, path, user, key, body);
    Answer::of(request.send().await.expect("no answer")).await
}

fn new_post(title: &str) -> Value {
    json!({"title": title, "content": "Words."})
}

/// Asserts that `again` is the stored answer `first`.
#[track_caller]
fn assert_replayed(first: &Answer, again: &Answer) {
    assert_eq!(again.status, first.status, "{}", again.text);
    assert_eq!(again.text, first.text);
    for name in [
        "location",
        "etag",
        "content-type",
        "content-length",
        "cache-control",
        "vary",
    ] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}

/// Asserts that `answer` is not a stored one.
#[track_caller]
fn assert_first(answer: &Answer) {
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header("idempotency-replayed"), None);
}

/// Asserts the problem `/problems/slug`.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, slug: &str) -> Value {
    let problem = answer.problem(status);
    assert_eq!(problem["type"], format!("/problems/{slug}"));
    problem
}
