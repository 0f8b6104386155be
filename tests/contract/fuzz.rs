//! Schemathesis over the whole document: every check, signed in and not.

use serde_json::json;

use crate::{
    harness::{
        Fixture, apply, behaviour,
        service::{Service, User},
    },
    tools::{project, succeeds, tool},
};

/// What ends the sessions that ask: tried apart, or the rest would be asked by strangers.
const LEAVING: [&str; 3] = ["logOut", "endSession", "endSessions"];

#[apply(behaviour)]
async fn nothing_is_found_by_who_is_signed_in(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = sign_in(&fixture, &service).await;
    let without = LEAVING.map(|operation| ["--exclude-operation-id", operation]);
    run(&fixture, &service, "signed-in", without.as_flattened()).await;
    // Else it was not signed in, and found nothing because it saw nothing.
    let posts = service.get("/posts?published=true", &ada).await.expect(200);
    assert_ne!(posts.json().as_array().map(Vec::len), Some(0));
}

#[apply(behaviour)]
async fn nothing_is_found_by_who_leaves(fixture: Fixture) {
    let service = fixture.serve().await;
    sign_in(&fixture, &service).await;
    let with = LEAVING.map(|operation| ["--include-operation-id", operation]);
    run(&fixture, &service, "signed-in", with.as_flattened()).await;
}

/// Ada, whom the run's settings know beside grace. The document's examples do not have their
/// password, with which the fuzzer would delete them.
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
async fn nothing_is_found_by_strangers(fixture: Fixture) {
    let service = fixture.serve().await;
    run(&fixture, &service, "strangers", &[]).await;
}

/// Runs with the settings of `tests/contract/schemathesis/WHO.toml`.
async fn run(fixture: &Fixture, service: &Service, who: &str, what: &[&str]) {
    let settings = project(&format!("tests/contract/schemathesis/{who}.toml"));
    let mut schemathesis = tool("schemathesis", fixture.folder());
    schemathesis
        .arg("--no-color")
        .arg("--config-file")
        .arg(settings)
        .arg("run")
        .args(what)
        .arg(format!("{}/openapi.json", service.base));
    let printed = succeeds(&mut schemathesis).await;
    let tried = printed.lines().skip_while(|line| *line != "Test cases:");
    let tried = tried.skip(1).take(1).collect::<String>();
    let (cases, _) = tried.trim().split_once(" generated").expect(&printed);
    assert!(cases.parse::<u32>().expect(&printed) > 100, "{printed}");
    assert!(!tried.contains("errored"), "{printed}");
    println!("schemathesis, {who} on {}: {}", fixture.kind, tried.trim());
}
