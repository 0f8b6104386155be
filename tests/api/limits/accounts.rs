//! The limits of an account: sign-ins, password attempts and renames.

use regex::{Captures, Regex};
use serde_json::json;

use super::{assert_limited, guess, serve};
use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, PASSWORD, Service, User},
};

async fn patch(service: &Service, user: &User, body: serde_json::Value) -> Answer {
    let call = service.call("PATCH", "/users/me", Some(user), Some(body));
    call.await
}

async fn sign_in(service: &Service, name: &str) -> Answer {
    let body = json!({"username": name, "password": PASSWORD});
    service.call("POST", "/login", None, Some(body)).await
}

#[apply(behaviour)]
async fn the_limit_of_password_attempts_outlasts_a_rename(fixture: Fixture) {
    let ada = serve(&fixture, &[]).await.user("ada").await;
    let limited = [("RATE_LIMIT_SIGN_IN_ACCOUNT", "2/hour")];
    let service = serve(&fixture, &limited).await;
    // Two attempts for each of the two names of an account.
    for name in ["ada", "countess"] {
        patch(&service, &ada, json!({"username": name}))
            .await
            .expect(200);
        for _ in 0..2 {
            guess(&service, name, "").await.problem(401);
        }
    }
    patch(&service, &ada, json!({"username": "lovelace"}))
        .await
        .expect(200);
    // Like a wrong password: another refusal would show that the names belong to one account.
    let mut refused = sign_in(&service, "lovelace").await.problem(401);
    let mut unknown = sign_in(&service, "nobody").await.problem(401);
    for problem in [&mut refused, &mut unknown] {
        problem["instance"] = json!(null);
    }
    assert_eq!(refused, unknown);
    // The caller's own limit is no secret.
    let current = json!({"current_password": PASSWORD});
    let words = "password attempts for this account";
    let answer = service.call("DELETE", "/users/me", Some(&ada), Some(current));
    assert_limited(&answer.await, "passwords", words);
    let change = json!({"email": "countess@example.com", "current_password": PASSWORD});
    assert_limited(&patch(&service, &ada, change).await, "passwords", words);
    let other = serve(&fixture, &limited).await;
    sign_in(&other, "lovelace").await.expect(200);
}

/// Rounds the numbers above 60, which are seconds, up to whole minutes: the guesses take a while.
fn in_minutes(text: &str) -> String {
    let number = Regex::new(r"\d+").expect("not a pattern");
    let round = |found: &Captures<'_>| match found[0].parse::<u64>().expect("not a number") {
        seconds @ 61.. => seconds.next_multiple_of(60).to_string(),
        other => other.to_string(),
    };
    number.replace_all(text, round).into_owned()
}

#[apply(behaviour)]
async fn the_limit_of_an_account_does_not_show_which_names_it_has(fixture: Fixture) {
    serve(&fixture, &[]).await.user("ada").await;
    let limited = [
        ("RATE_LIMIT_SIGN_IN_ACCOUNT", "3/hour"),
        ("RATE_LIMIT_SIGN_IN", "100/hour"),
    ];
    let service = serve(&fixture, &limited).await;
    let mut seen = Vec::new();
    for names in [["ada", "ada@example.com"], ["eve", "eve@example.com"]] {
        // Another server, because the address has used up some of its limit.
        let service = serve(&fixture, &limited).await;
        let mut answers = Vec::new();
        for name in [names[0], names[1]].repeat(5) {
            let answer = guess(&service, name, "").await;
            let mut problem = answer.json();
            problem["instance"] = json!(null);
            let header = |name| answer.header(name).map(in_minutes);
            let headers = ["ratelimit", "ratelimit-policy", "retry-after"].map(header);
            answers.push((in_minutes(&problem.to_string()), headers));
        }
        seen.push(answers);
    }
    assert_eq!(seen[0], seen[1]);
    // An attack on the public username leaves the owner the other name.
    for _ in 0..5 {
        guess(&service, "ada", "").await;
    }
    sign_in(&service, "ada").await.problem(429);
    sign_in(&service, "ada@example.com").await.expect(200);
}

#[apply(behaviour)]
async fn renames_are_limited_per_user(fixture: Fixture) {
    let service = serve(&fixture, &[]).await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let rename = async |user, name: &str| patch(&service, user, json!({"username": name})).await;
    for number in 0..10 {
        rename(&ada, &format!("ada{number}")).await.expect(200);
    }
    let refused = rename(&ada, "ada10").await;
    let wait = assert_limited(&refused, "renames", "changes of the username");
    assert!((300..=360).contains(&wait), "{wait}");
    rename(&ada, "ada9").await.expect(200);
    rename(&grace, "hopper").await.expect(200);
}
