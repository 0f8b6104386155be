//! Schemathesis over the whole document with every check, signed in and without a token.

use acclaim::config::Origins;
use serde_json::json;

use crate::{
    harness::{
        Fixture, apply, behaviour,
        service::{Service, User},
        webhooks,
    },
    tools::{project, succeeds, tool},
};

/// Operations that end the session. They run separately, because the others need the session.
const SESSION_ENDING: [&str; 3] = ["logOut", "endSession", "endSessions"];

#[apply(behaviour)]
async fn fuzzing_while_signed_in_finds_nothing(fixture: Fixture) {
    let service = serve(&fixture).await;
    let ada = sign_in(&fixture, &service).await;
    let without = SESSION_ENDING.map(|operation| ["--exclude-operation-id", operation]);
    run(&fixture, &service, "signed-in", without.as_flattened()).await;
    // No posts would mean that the run was not signed in.
    let posts = service.get("/posts?published=true", &ada).await.expect(200);
    assert_ne!(posts.json().as_array().map(Vec::len), Some(0));
}

#[apply(behaviour)]
async fn fuzzing_the_operations_that_end_sessions_finds_nothing(fixture: Fixture) {
    let service = serve(&fixture).await;
    sign_in(&fixture, &service).await;
    let with = SESSION_ENDING.map(|operation| ["--include-operation-id", operation]);
    run(&fixture, &service, "signed-in", with.as_flattened()).await;
}

/// A server whose webhooks cannot be delivered: the fuzzer makes up URLs, and nothing may be sent to their hosts.
async fn serve(fixture: &Fixture) -> Service {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.webhooks = webhooks(&[("WEBHOOK_ALLOWED_HOSTS", "*.invalid")]);
    fixture.start(state, Origins::These(Vec::new()))
}

/// Creates ada and grace, writes `users.json` for the configuration of the run, and returns ada. Their
/// password differs from the examples of the document, so that the fuzzer cannot delete the accounts.
async fn sign_in(fixture: &Fixture, service: &Service) -> User {
    let mut users = Vec::new();
    for name in ["ada", "grace"] {
        let (email, password) = (format!("{name}@example.com"), "battery staple");
        let new = json!({"email": email, "username": name, "password": password});
        let made = service.call("POST", "/users", None, Some(new)).await;
        made.expect(201);
        users.push((name, service.sign_in(name, password).await));
    }
    let ada = users[0].1.clone();
    let users = users.iter().map(|(name, user)| {
        let token = format!("Bearer {}", user.token);
        let header = json!({"name": "Authorization", "value": token});
        json!({"name": name, "fixedHeaders": [header]})
    });
    let users = json!({"auth": users.collect::<Vec<_>>()}).to_string();
    let file = fixture.folder().join("users.json");
    std::fs::write(&file, users).expect("not written");
    ada
}

#[apply(behaviour)]
async fn fuzzing_without_a_token_finds_nothing(fixture: Fixture) {
    let service = serve(&fixture).await;
    run(&fixture, &service, "anonymous", &[]).await;
}

/// Runs Schemathesis with `tests/contract/schemathesis/{name}.toml` and more `arguments`.
async fn run(fixture: &Fixture, service: &Service, name: &str, arguments: &[&str]) {
    let settings = project(format!("tests/contract/schemathesis/{name}.toml"));
    let mut schemathesis = tool("schemathesis", fixture.folder());
    schemathesis
        .arg("--no-color")
        .arg("--config-file")
        .arg(settings)
        .arg("run")
        .args(arguments)
        .arg(format!("{}/openapi.json", service.base));
    let printed = succeeds(&mut schemathesis).await;
    let tried = printed.lines().skip_while(|line| *line != "Test cases:");
    let tried = tried.skip(1).take(1).collect::<String>();
    let (cases, _) = tried.trim().split_once(" generated").expect(&printed);
    assert!(cases.parse::<u32>().expect(&printed) > 100, "{printed}");
    assert!(!tried.contains("errored"), "{printed}");
    println!("schemathesis, {name} on {}: {}", fixture.kind, tried.trim());
}
