//! Conventions of every answer: problem details, request ids, trailing slashes and HEAD.

use serde_json::json;

use crate::harness::{Fixture, apply, behaviour, service::Answer};

#[apply(behaviour)]
async fn router_errors_are_problem_details(fixture: Fixture) {
    let service = fixture.serve().await;
    for path in [
        "/nothing",
        "/posts/1/votes",
        "/users/1/2",
        "/docs/nothing.js",
    ] {
        let answer = service.call("GET", path, None, None).await;
        assert_eq!(answer.problem(404)["type"], "/problems/not-found");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    for (method, path, allow) in [
        ("PUT", "/users", "GET, HEAD, POST"),
        ("GET", "/login", "POST"),
        ("DELETE", "/posts", "GET, HEAD, POST"),
        ("POST", "/posts/1", "GET, HEAD, PUT, PATCH, DELETE"),
        ("GET", "/posts/1/vote", "PUT, DELETE"),
        ("BREW", "/", "GET, HEAD"),
    ] {
        let answer = service.call(method, path, None, None).await;
        answer.problem(405);
        assert_eq!(answer.header("allow"), Some(allow));
    }
}

#[apply(behaviour)]
async fn unreadable_and_invalid_input_get_different_statuses(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let send = async |kind: Option<&str>, body: &'static [u8]| {
        let mut request = service.request("POST", "/posts").bearer_auth(&ada.token);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let json = Some("application/json");
    for body in [
        &b""[..],
        b"{",
        b"{\"title\": \"\xff\"}",
        b"{\"title\": \"\\ud800\"}",
        b"a=b",
    ] {
        send(json, body).await.problem(400);
    }
    send(Some("application/json; charset=utf-8"), b"{}")
        .await
        .problem(422);
    send(Some("not a media type"), b"{}").await.problem(400);
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
    ] {
        send(kind, b"{}").await.problem(415);
    }
    let zipped = service.request("POST", "/posts").bearer_auth(&ada.token);
    let zipped = zipped.header("content-encoding", "gzip").json(&json!({}));
    Answer::of(zipped.send().await.unwrap()).await.problem(415);
    let bad = service
        .request("GET", "/posts")
        .header("authorization", &b"Bearer \xff"[..]);
    Answer::of(bad.send().await.unwrap()).await.problem(400);
    service.get("/posts?search=%FF", &ada).await.problem(400);
}

#[apply(behaviour)]
async fn bodies_beyond_the_size_limit_are_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let body = |length: usize| {
        let text = format!(
            "{{\"title\": \"t\", \"content\": \"c\", \"x\": \"{}\"}}",
            "x".repeat(length)
        );
        service
            .request("POST", "/posts")
            .bearer_auth(&ada.token)
            .header("content-type", "application/json")
            .body(text)
            .send()
    };
    Answer::of(body(1_000_000).await.unwrap()).await.expect(201);
    Answer::of(body(1024 * 1024).await.unwrap())
        .await
        .problem(413);
}

#[apply(behaviour)]
async fn a_request_id_is_kept_or_generated(fixture: Fixture) {
    let service = fixture.serve().await;
    let sent = async |id: &str| {
        let request = service
            .request("GET", "/nothing")
            .header("x-request-id", id);
        let answer = Answer::of(request.send().await.unwrap()).await;
        answer.problem(404)["instance"].as_str().unwrap().to_owned()
    };
    let longest = "a".repeat(64);
    for id in ["Az09._-", &longest] {
        assert_eq!(sent(id).await, id);
    }
    for id in ["", "with space", "ü", &format!("{longest}a")] {
        let made = sent(id).await;
        assert_eq!(uuid::Uuid::parse_str(&made).unwrap().get_version_num(), 7);
    }
}

#[apply(behaviour)]
async fn paths_answer_with_and_without_a_trailing_slash(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let bob = service.user("bob").await;
    // Not ada's own: `/users/me` counts it some time after the write.
    let id = service.new_post(&bob, "Title").await;
    for path in [
        "/posts",
        "/users/me",
        &format!("/posts/{id}"),
        "/docs",
        "/health/live",
        "/openapi.json",
    ] {
        let (with, without) = (
            format!("{path}/"),
            service.get(path, &ada).await.expect(200),
        );
        assert_eq!(
            service.get(&with, &ada).await.expect(200).text,
            without.text
        );
    }
}

#[apply(behaviour)]
async fn head_answers_like_get(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    for path in [
        "/",
        "/posts",
        &format!("/posts/{id}"),
        "/health/ready",
        "/docs",
    ] {
        let get = service.get(path, &ada).await.expect(200);
        let head = service
            .call("HEAD", path, Some(&ada), None)
            .await
            .expect(200);
        assert_eq!(head.text, "");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert_eq!(head.header("content-length"), get.header("content-length"));
    }
}

#[apply(behaviour)]
async fn the_welcome_page_and_health_checks_answer(fixture: Fixture) {
    let service = fixture.serve().await;
    let welcome = service
        .call("GET", "/", None, None)
        .await
        .expect(200)
        .json();
    for link in welcome["links"].as_object().unwrap().values() {
        let answer = service
            .call("GET", link.as_str().unwrap(), None, None)
            .await;
        assert_ne!(answer.status, 404, "{link}");
    }
    for path in ["/health/live", "/health/ready"] {
        let answer = service.call("GET", path, None, None).await.expect(200);
        assert_eq!(answer.json(), json!({"status": "ok"}));
    }
    let down = migration::Command::DOWN;
    migration::run(&fixture.owned_database(), &down)
        .await
        .unwrap();
    service.readiness(503).await.problem(503);
    service
        .call("GET", "/health/live", None, None)
        .await
        .expect(200);
}
