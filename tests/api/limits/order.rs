//! The order of the limits, relative to other checks and to each other.

use serde_json::json;

use super::{assert_limited, guess, ratelimit, serve};
use crate::harness::{Fixture, apply, behaviour, service::Answer};

#[apply(behaviour)]
async fn refused_requests_count_towards_the_limits_that_were_checked_before(fixture: Fixture) {
    let service = serve(
        &fixture,
        &[
            ("RATE_LIMIT_REQUESTS", "7/hour"),
            ("RATE_LIMIT_SIGN_IN", "5/hour"),
            ("RATE_LIMIT_SIGN_IN_ACCOUNT", "2/hour"),
        ],
    )
    .await;
    let mut answers = Vec::new();
    for name in ["ada", "ada", "ada", "bob", "ada", "bob", "eve", "eve"] {
        let answer = guess(&service, name, "").await;
        let limit = answer.header("ratelimit").unwrap().split(';').next();
        let limit = limit.unwrap().trim_matches('"').to_owned();
        answers.push((answer.status, limit));
    }
    let answers: Vec<_> = answers
        .iter()
        .map(|(status, limit)| (*status, limit.as_str()))
        .collect();
    assert_eq!(
        answers,
        [
            (401, "sign-in"),
            (401, "sign-in"),
            (429, "sign-in-account"),
            (401, "sign-in"),
            (429, "sign-in-account"),
            (429, "sign-in"),
            (429, "sign-in"),
            (429, "requests"),
        ]
    );
}

#[apply(behaviour)]
async fn limits_are_checked_before_anything_else(fixture: Fixture) {
    let ada = serve(&fixture, &[]).await.user("ada").await;
    let service = serve(
        &fixture,
        &[
            ("RATE_LIMIT_REQUESTS", "8/hour"),
            ("RATE_LIMIT_SIGN_IN", "1/hour"),
            ("RATE_LIMIT_WRITES", "1/hour"),
        ],
    )
    .await;
    let post = |path| service.request("POST", path).body("{");
    let send = async |request: reqwest::RequestBuilder| {
        Answer::of(request.send().await.expect("no answer")).await
    };
    send(post("/login")).await.problem(415);
    send(post("/login")).await.problem(429);
    send(post("/posts").bearer_auth(&ada.token))
        .await
        .problem(415);
    send(post("/posts").bearer_auth(&ada.token))
        .await
        .problem(429);
    // The write limit counts per user, so unknown callers have none.
    send(post("/posts").bearer_auth("bad")).await.problem(401);
    for _ in 0..3 {
        send(post("/posts")).await.problem(401);
    }
    let refusal = post("/posts")
        .bearer_auth("bad")
        .header("origin", "https://app.example");
    let refusal = send(refusal).await;
    assert_limited(&refusal, "requests", "requests from this address");
    assert_eq!(
        refusal.header("access-control-allow-origin"),
        Some("https://app.example")
    );
    for path in ["/health/live", "/health/ready", "/health/live/"] {
        let answer = service.call("GET", path, None, None).await.expect(200);
        assert_eq!(answer.header("ratelimit"), None);
    }
}

#[apply(behaviour)]
async fn the_tightest_limit_is_reported(fixture: Fixture) {
    for (requests, sign_in, tightest) in [
        ("100/hour", "4/minute", "\"sign-in\";q=4;w=60"),
        ("4/minute", "100/hour", "\"requests\";q=4;w=60"),
    ] {
        let settings = [
            ("RATE_LIMIT_REQUESTS", requests),
            ("RATE_LIMIT_SIGN_IN", sign_in),
        ];
        let answer = guess(&serve(&fixture, &settings).await, "ada", "").await;
        assert_eq!(answer.header("ratelimit-policy"), Some(tightest));
        assert_eq!((ratelimit(&answer, "r"), ratelimit(&answer, "t")), (3, 15));
    }
}

#[apply(behaviour)]
async fn every_spelling_of_a_path_is_limited(fixture: Fixture) {
    let settings = [
        ("RATE_LIMIT_SIGN_IN", "1/hour"),
        ("RATE_LIMIT_SIGN_UP", "1/hour"),
    ];
    let service = serve(&fixture, &settings).await;
    for paths in [
        ["/login", "/login/", "//login", "/log%69n", "/login?a=b"],
        ["/users", "/users/", "//users", "/user%73", "/users?a=b"],
    ] {
        for (n, path) in paths.into_iter().enumerate() {
            let answer = service.call("POST", path, None, Some(json!({}))).await;
            answer.problem(if n == 0 { 422 } else { 429 });
        }
    }
}
