//! Rate limits.

mod accounts;
mod clients;
mod order;

use std::time::Duration;

use acclaim::config::Origins;
use serde_json::json;

use crate::harness::{
    Fixture, apply, behaviour, limits,
    service::{Answer, Service},
};

async fn serve(fixture: &Fixture, settings: &[(&str, &str)]) -> Service {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.limits = limits(settings);
    let origins = Origins::These(vec!["https://app.example".to_owned()]);
    fixture.start(state, origins)
}

/// Signs in as `name` with a wrong password and `X-Forwarded-For: address`.
async fn guess(service: &Service, name: &str, address: &str) -> Answer {
    let form = [("username", name), ("password", "wrong")];
    let request = service.request("POST", "/login").form(&form);
    let request = request.header("x-forwarded-for", address);
    Answer::of(request.send().await.expect("no answer")).await
}

/// The parameter `name` of the `RateLimit` header.
#[track_caller]
fn ratelimit(answer: &Answer, name: &str) -> u64 {
    let field = answer.header("ratelimit").expect("no RateLimit");
    let parameters = field.split(';').filter_map(|part| part.split_once('='));
    let mut values = parameters.filter(|(other, _)| *other == name);
    values.next().expect(name).1.parse().expect(field)
}

/// Asserts a complete 429 of `limit` and returns the seconds of `Retry-After`.
#[track_caller]
fn assert_limited(answer: &Answer, limit: &str, words: &str) -> u64 {
    let problem = answer.problem(429);
    assert_eq!(problem["type"], "/problems/too-many-requests");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(wait >= 1);
    let s = if wait == 1 { "" } else { "s" };
    let detail = format!("too many {words}; try again in {wait} second{s}");
    assert_eq!(problem["detail"], detail);
    let field = format!("\"{limit}\";r=0;t={wait}");
    assert_eq!(answer.header("ratelimit"), Some(field.as_str()));
    wait
}

#[apply(behaviour)]
async fn each_limit_refuses_requests_beyond_its_count(fixture: Fixture) {
    let ada = serve(&fixture, &[]).await.user("ada").await;
    let form = json!({"username": "ada", "password": "wrong"});
    let empty = json!({});
    for (setting, limit, words, path, body, user, status) in [
        (
            "REQUESTS",
            "requests",
            "requests from this address",
            "/nothing",
            None,
            None,
            404,
        ),
        (
            "SIGN_UP",
            "sign-up",
            "sign-ups from this address",
            "/users",
            Some(&empty),
            None,
            422,
        ),
        (
            "SIGN_IN",
            "sign-in",
            "sign-ins from this address",
            "/login",
            Some(&form),
            None,
            401,
        ),
        (
            "SIGN_IN_ACCOUNT",
            "sign-in-account",
            "sign-ins for this account",
            "/login",
            Some(&form),
            None,
            401,
        ),
        (
            "WRITES",
            "writes",
            "writes by this user",
            "/posts",
            Some(&empty),
            Some(&ada),
            422,
        ),
    ] {
        let setting = format!("RATE_LIMIT_{setting}");
        let service = serve(&fixture, &[(setting.as_str(), "3/hour")]).await;
        let call = async || service.call("POST", path, user, body.cloned()).await;
        let policy = format!("\"{limit}\";q=3;w=3600");
        for rest in [2, 1, 0] {
            let answer = call().await;
            answer.problem(status);
            // The count of a name would show that others sign in with it.
            if limit == "sign-in-account" {
                assert_eq!(answer.header("ratelimit-policy"), None);
                continue;
            }
            assert_eq!(answer.header("ratelimit-policy"), Some(policy.as_str()));
            assert_eq!(ratelimit(&answer, "r"), rest);
            assert_eq!(ratelimit(&answer, "t"), 1200 * (3 - rest));
        }
        for _ in 0..3 {
            let answer = call().await;
            let wait = assert_limited(&answer, limit, words);
            assert!((1000..=1200).contains(&wait), "{wait}");
            assert_eq!(answer.header("ratelimit-policy"), Some(policy.as_str()));
        }
    }
    let service = serve(&fixture, &[("RATE_LIMIT_WRITES", "1/hour")]).await;
    let grace = service.user("grace").await;
    for user in [&ada, &grace] {
        service.new_post(user, "Title").await;
        service
            .post("/posts", user, empty.clone())
            .await
            .problem(429);
        let read = service.get("/posts", user).await.expect(200);
        assert_eq!(read.header("ratelimit"), None);
    }
}

#[apply(behaviour)]
async fn a_refused_request_succeeds_after_retry_after(fixture: Fixture) {
    let service = serve(&fixture, &[("RATE_LIMIT_REQUESTS", "2/second")]).await;
    for _ in 0..3 {
        let wait = loop {
            let answer = service.call("GET", "/", None, None).await;
            if answer.status != 200 {
                break assert_limited(&answer, "requests", "requests from this address");
            }
        };
        assert_eq!(wait, 1);
        tokio::time::sleep(Duration::from_secs(wait)).await;
        service.call("GET", "/", None, None).await.expect(200);
    }
}
