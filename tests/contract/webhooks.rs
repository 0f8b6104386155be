//! The reference libraries of Standard Webhooks verify what an endpoint gets.

use serde_json::json;

use crate::{
    harness::{Fixture, apply, behaviour, endpoint::Endpoint},
    tools::{project, succeeds, tool},
};

#[apply(behaviour)]
async fn the_python_library_accepts_deliveries(fixture: Fixture) {
    works(&fixture, "python", "verify.py").await;
}

#[apply(behaviour)]
async fn the_javascript_library_accepts_deliveries(fixture: Fixture) {
    works(&fixture, "node", "verify.mjs").await;
}

/// Runs `tests/contract/webhooks/{script}` with a delivery during a rotation of the secret. The script accepts it
/// by either secret, and refuses it after any change.
async fn works(fixture: &Fixture, interpreter: &str, script: &str) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = json!({"url": endpoint.url, "kinds": "post.*", "include_post": true});
    let created = service.post("/webhooks", &ada, webhook).await.expect(201);
    let rotate = format!("/webhooks/{}/secret", created.json()["id"]);
    let rotated = service
        .call("POST", &rotate, Some(&ada), None)
        .await
        .expect(201);
    let body = json!({"title": "\u{c4}on \u{1f600}", "content": "\"quoted\"\n"});
    service.post("/posts", &ada, body).await.expect(201);
    let message = endpoint.next().await;
    let header = |name| message.header(name);
    let input = json!({
        "secrets": [created.json()["secret"], rotated.json()["secret"]],
        "headers": {
            "webhook-id": header("webhook-id"),
            "webhook-timestamp": header("webhook-timestamp"),
            "webhook-signature": header("webhook-signature"),
        },
        "body": message.body,
    });
    let file = fixture.folder().join("delivery.json");
    std::fs::write(&file, input.to_string()).expect("not written");
    let mut receiver = tool(interpreter, fixture.folder());
    let script = format!("tests/contract/webhooks/{script}");
    receiver.arg(project(script)).arg(&file);
    assert_eq!(succeeds(&mut receiver).await.trim(), "ok");
}
