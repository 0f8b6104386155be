//! Endpoints get what their owners see.

use serde_json::{Value, json};

use super::create;
use crate::{
    events::{all, told},
    harness::{
        endpoint::Endpoint,
        service::{Service, User},
    },
};

/// Everything that an endpoint of `user` gets, if it gets the whole log.
pub async fn delivered(
    service: &Service,
    user: &User,
    members: Value,
    count: usize,
) -> Vec<String> {
    let mut endpoint = Endpoint::start().await;
    let webhook = create(service, user, &endpoint, members).await;
    let path = format!("{}/redeliver", webhook.path);
    service
        .post(&path, user, json!({"after": 0}))
        .await
        .expect(202);
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(told(&endpoint.event().await));
    }
    service
        .call("DELETE", &webhook.path, Some(user), None)
        .await
        .expect(204);
    events
}

/// Asserts that an endpoint of `user` gets what pages have.
pub async fn assert_same_as_pages(service: &Service, user: &User) {
    let pages = all(service, "/events?after=0&limit=100", user).await;
    let delivered = delivered(service, user, json!({}), pages.len()).await;
    assert_eq!(delivered, pages);
}
