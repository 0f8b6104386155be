//! The declarations of the routes.

use crate::harness::{Fixture, apply, behaviour};

/// Every POST accepts a key, or tells why it needs none.
#[apply(behaviour)]
async fn every_post_can_be_repeated(fixture: Fixture) {
    let service = fixture.serve().await;
    let document = service.call("GET", "/openapi.json", None, None).await;
    let document = document.expect(200).json();
    let mut accepting = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let operation = &item["post"];
        if operation.is_null() {
            continue;
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let accepts = parameters
            .into_iter()
            .any(|parameter| parameter["name"] == "Idempotency-Key" && parameter["in"] == "header");
        let description = operation["description"].as_str().unwrap_or_default();
        assert_ne!(
            accepts,
            description.contains("Safe to repeat without `Idempotency-Key`"),
            "{path}"
        );
        if accepts {
            accepting.push(path.as_str());
            let responses = &operation["responses"];
            let success = &responses["201"]["headers"];
            assert!(success["Idempotency-Replayed"].is_object(), "{path}");
            assert!(
                responses["409"]["headers"]["Retry-After"].is_object(),
                "{path}"
            );
            assert!(responses["422"].is_object(), "{path}");
        }
    }
    assert_eq!(
        accepting,
        [
            "/posts",
            "/posts/bulk",
            "/tokens",
            "/users",
            "/vote",
            "/webhooks",
            "/webhooks/{id}/secret",
        ]
    );
}
