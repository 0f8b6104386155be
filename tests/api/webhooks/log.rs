//! The log of deliveries, and delivering again.

use acclaim::{db::Db, services::webhooks::delete_expired};
use serde_json::json;

use super::{POSTS, create, deliveries, execute, let_time_pass, value, wait_for_states};
use crate::{
    events::next,
    harness::{
        Fixture, apply, behaviour,
        endpoint::{Endpoint, Reply},
        wait_for,
    },
};

#[apply(behaviour)]
async fn the_log_has_pages(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    for _ in 0..3 {
        service.new_post(&ada, "Notes").await;
    }
    wait_for_states(&fixture, &["succeeded"; 3]).await;
    let all = deliveries(&service, &ada, &webhook).await;
    let path = format!("{}/deliveries?limit=2", webhook.path);
    let page = service.get(&path, &ada).await.expect(200);
    assert_eq!(page.json(), json!(all[..2]));
    let page = service.get(&next(&page), &ada).await.expect(200);
    assert_eq!(page.json(), json!(all[2..]));
    assert_eq!(page.header("link"), None);
}

#[apply(behaviour)]
async fn events_are_delivered_again_with_the_same_ids(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        service.new_post(&ada, "Notes").await;
        ids.push(endpoint.next().await.id().to_owned());
    }
    wait_for_states(&fixture, &["succeeded"; 3]).await;
    let log = deliveries(&service, &ada, &webhook).await;
    let position = |delivery: usize| log[2 - delivery]["position"].as_i64().unwrap();

    let one = format!("{}/deliveries/{}/redeliver", webhook.path, position(1));
    let pending = service.call("POST", &one, Some(&ada), None).await;
    assert_eq!(pending.expect(202).json()["state"], "pending");
    assert_eq!(endpoint.next().await.id(), ids[1]);

    wait_for_states(&fixture, &["succeeded"; 3]).await;
    let all = format!("{}/redeliver", webhook.path);
    let after = json!({"after": position(0)});
    service.post(&all, &ada, after).await.expect(202);
    assert_eq!(endpoint.next().await.id(), ids[1]);
    assert_eq!(endpoint.next().await.id(), ids[2]);

    let unknown = format!("{}/deliveries/999/redeliver", webhook.path);
    service
        .call("POST", &unknown, Some(&ada), None)
        .await
        .problem(404);
    let future = service
        .post(&all, &ada, json!({"after": 999}))
        .await
        .problem(410);
    assert_eq!(future["type"], "/problems/events-expired");
    let invalid = service.post(&all, &ada, json!({"after": -1})).await;
    assert_eq!(invalid.field_errors(), ["after range"]);
}

#[apply(behaviour)]
async fn a_delivery_that_waits_does_not_shorten_the_events_that_come_again(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    let mut posts = Vec::new();
    for number in 0..3 {
        if number == 2 {
            endpoint.reply([Reply::status(500)]);
        }
        posts.push(service.new_post(&ada, "Notes").await);
        endpoint.next().await;
    }
    wait_for_states(&fixture, &["succeeded", "succeeded", "pending"]).await;
    let_time_pass(&fixture).await;
    let all = format!("{}/redeliver", webhook.path);
    service
        .post(&all, &ada, json!({"after": 0}))
        .await
        .expect(202);
    let mut got = std::collections::BTreeSet::new();
    while got.len() < posts.len() {
        got.insert(endpoint.event().await["post_id"].as_i64().unwrap());
    }
    assert_eq!(got.into_iter().collect::<Vec<_>>(), posts);
}

#[apply(behaviour)]
async fn the_log_keeps_a_thousand_deliveries(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    let insert = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1100)
        INSERT INTO webhook_deliveries (webhook_id, position, message_id, kind, state, attempts, attempted_at,
            duration_ms)
        SELECT id, n, 'evt', 'post.created', 'succeeded', 1, created_at, 0 FROM webhooks, numbers";
    execute(&fixture, insert).await;
    service.new_post(&ada, "Notes").await;
    endpoint.next().await;
    let count = "SELECT count(*) FROM webhook_deliveries";
    wait_for(&fixture.connect().await, count, &["1000"]).await;
}

/// A webhook that was behind for longer than events are kept.
#[apply(behaviour)]
async fn an_endpoint_learns_that_events_are_missing(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    let change = async |enabled: bool| {
        let body = Some(json!({"enabled": enabled}));
        service
            .call("PATCH", &webhook.path, Some(&ada), body)
            .await
            .expect(200);
    };
    change(false).await;
    for _ in 0..3 {
        service.new_post(&ada, "Missed").await;
    }
    crate::events::numbered(&fixture).await;
    let last = value(&fixture, "SELECT max(position) FROM events").await;
    execute(
        &fixture,
        &format!("DELETE FROM events WHERE position < {last}"),
    )
    .await;
    change(true).await;
    let message = endpoint.next().await;
    assert_eq!(message.json()["type"], "reset");
    assert!(message.is_signed_by(&webhook.secret));
    let before: i64 = last.parse::<i64>().unwrap() - 1;
    assert_eq!(message.event()["position"], before);
    assert_eq!(endpoint.event().await["position"].to_string(), last);
}

#[apply(behaviour)]
async fn old_deliveries_are_deleted(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let endpoint = Endpoint::start().await;
    create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    for _ in 0..3 {
        service.new_post(&ada, "Notes").await;
    }
    wait_for_states(&fixture, &["succeeded"; 3]).await;
    let first = "SELECT min(position) FROM webhook_deliveries";
    let old = format!(
        "UPDATE webhook_deliveries SET attempted_at = '2020-01-01T00:00:00Z' WHERE position = ({first})"
    );
    execute(&fixture, &old).await;
    let db = Db::open(&fixture.database()).await.expect("not opened");
    assert_eq!(delete_expired(&db).await.expect("not deleted"), 1);
    wait_for_states(&fixture, &["succeeded"; 2]).await;
}

/// A webhook whose filter selects nothing reads the whole log without a delivery.
#[apply(behaviour)]
async fn a_webhook_that_gets_nothing_reaches_the_end_of_the_log(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for _ in 0..5 {
        service.new_post(&ada, "Notes").await;
    }
    crate::events::numbered(&fixture).await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"post_id": 999})).await;
    let all = format!("{}/redeliver", webhook.path);
    service
        .post(&all, &ada, json!({"after": 0}))
        .await
        .expect(202);
    let ended = "SELECT count(*) FROM webhooks WHERE delivered = wanted AND wanted > 0
        AND lease IS NULL AND next_at IS NULL";
    wait_for(&fixture.connect().await, ended, &["1"]).await;
    assert!(endpoint.is_idle());
}
