//! Endpoints that do not take their messages.

use std::sync::{Arc, atomic::Ordering};

use serde_json::json;
use tokio::sync::Notify;

use super::{POSTS, create, deliveries, execute, let_time_pass, released, value, wait_for_states};
use crate::{
    events::Stream,
    harness::{
        Fixture, apply, behaviour,
        endpoint::{Endpoint, Reply},
        wait_for,
    },
};

#[apply(behaviour)]
async fn a_failed_delivery_is_tried_again_with_the_same_id(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    endpoint.reply([Reply::Status(500, "", "x".repeat(2_000))]);
    let first = service.new_post(&ada, "First").await;
    let failed = endpoint.next().await;
    // The events after it do not wait.
    let second = service.new_post(&ada, "Second").await;
    assert_eq!(endpoint.event().await["post_id"], second);
    wait_for_states(&fixture, &["pending", "succeeded"]).await;
    let log = deliveries(&service, &ada, &webhook).await;
    assert_eq!(log[1]["error"], "the endpoint answered with an error");
    assert_eq!(log[1]["answer"].as_str().unwrap().len(), 1_024);
    assert!(log[1]["next_attempt_at"].as_str() > log[1]["attempted_at"].as_str());

    let_time_pass(&fixture).await;
    let again = endpoint.next().await;
    assert_eq!(again.id(), failed.id());
    assert_eq!(again.event()["post_id"], first);
    assert!(again.is_signed_by(&webhook.secret));
    wait_for_states(&fixture, &["succeeded", "succeeded"]).await;
    let log = deliveries(&service, &ada, &webhook).await;
    assert_eq!(
        (&log[1]["attempts"], &log[1]["error"]),
        (&json!(2), &json!(null))
    );
}

#[apply(behaviour)]
async fn a_delivery_is_given_up_after_ten_attempts(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    endpoint.reply(vec![Reply::status(503); 10]);
    service.new_post(&ada, "Notes").await;
    let mut ids = Vec::new();
    for attempt in 1..=10 {
        if attempt > 1 {
            wait_for_states(&fixture, &["pending"]).await;
            let_time_pass(&fixture).await;
        }
        ids.push(endpoint.next().await.id().to_owned());
    }
    wait_for_states(&fixture, &["failed"]).await;
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let log = deliveries(&service, &ada, &webhook).await;
    assert_eq!(
        (&log[0]["attempts"], &log[0]["next_attempt_at"]),
        (&json!(10), &json!(null))
    );
}

#[apply(behaviour)]
async fn an_endpoint_that_fails_thrice_is_left_alone_and_gets_all_later(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    endpoint.reply(vec![Reply::status(500); 3]);
    let mut posts = Vec::new();
    for _ in 0..5 {
        posts.push(service.new_post(&ada, "Notes").await);
    }
    for _ in 0..3 {
        endpoint.next().await;
    }
    wait_for_states(&fixture, &["pending"; 3]).await;
    let read = service.get(&webhook.path, &ada).await.expect(200).json();
    assert!(read["paused_until"].is_string() && read["failing_since"].is_string());
    // It comes back: an hour later, say.
    let_time_pass(&fixture).await;
    let mut got = Vec::new();
    for _ in 0..5 {
        got.push(endpoint.event().await["post_id"].as_i64().unwrap());
    }
    assert_eq!(got, posts);
    wait_for_states(&fixture, &["succeeded"; 5]).await;
    let read = service.get(&webhook.path, &ada).await.expect(200).json();
    assert_eq!(read["failing_since"], json!(null));
    assert!(endpoint.is_idle());
}

/// A pause that has ended does not make a webhook due as long as its deliveries are not.
#[apply(behaviour)]
async fn a_failing_webhook_rests_between_its_attempts(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    endpoint.reply(vec![Reply::status(500); 4]);
    service.new_post(&ada, "Notes").await;
    endpoint.next().await;
    for _ in 0..3 {
        wait_for_states(&fixture, &["pending"]).await;
        let_time_pass(&fixture).await;
        endpoint.next().await;
    }
    // After the fourth failure the webhook pauses for a minute, and the delivery for half an hour.
    wait_for_states(&fixture, &["pending"]).await;
    released(&fixture).await;
    let passed = "UPDATE webhooks SET paused_until = created_at, next_at = created_at";
    execute(&fixture, passed).await;
    let rests = "SELECT count(*) FROM webhooks WHERE lease IS NULL
        AND next_at = (SELECT next_attempt_at FROM webhook_deliveries)";
    wait_for(&fixture.connect().await, rests, &["1"]).await;
}

#[apply(behaviour)]
async fn an_endpoint_that_is_gone_is_disabled_with_a_notice(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    let mut notices = Stream::of(&service, "/events?kinds=webhook.disabled", &ada).await;
    endpoint.reply([Reply::status(410)]);
    service.new_post(&ada, "Notes").await;
    endpoint.next().await;
    let notice = notices.next().await.expect("no event");
    assert_eq!(notice.data["webhook_id"], webhook.id);
    wait_for_states(&fixture, &["failed"]).await;
    let read = service.get(&webhook.path, &ada).await.expect(200).json();
    assert_eq!(
        (&read["enabled"], &read["disabled_reason"]),
        (&json!(false), &json!("gone"))
    );
    let redeliver = format!("{}/redeliver", webhook.path);
    let problem = service
        .post(&redeliver, &ada, json!({"after": 0}))
        .await
        .problem(409);
    assert_eq!(problem["type"], "/problems/webhook-disabled");

    // It continues where it stopped.
    let missed = service.new_post(&ada, "Missed").await;
    let enable = json!({"enabled": true});
    let enabled = service
        .call("PATCH", &webhook.path, Some(&ada), Some(enable))
        .await;
    assert_eq!(enabled.expect(200).json()["disabled_reason"], json!(null));
    assert_eq!(endpoint.event().await["post_id"], missed);
}

#[apply(behaviour)]
async fn five_days_without_a_success_disable_a_webhook(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    endpoint.reply(vec![Reply::status(500); 2]);
    service.new_post(&ada, "Notes").await;
    endpoint.next().await;
    wait_for_states(&fixture, &["pending"]).await;
    released(&fixture).await;
    let earlier = if fixture.is_postgres() {
        "UPDATE webhooks SET failing_since = failing_since - interval '5 days'"
    } else {
        "UPDATE webhooks SET failing_since = strftime('%Y-%m-%dT%H:%M:%fZ', failing_since, '-5 days')"
    };
    execute(&fixture, earlier).await;
    let_time_pass(&fixture).await;
    endpoint.next().await;
    let reason = "SELECT coalesce(disabled_reason, '-') FROM webhooks";
    wait_for(&fixture.connect().await, reason, &["failing"]).await;
    let read = service.get(&webhook.path, &ada).await.expect(200).json();
    assert_eq!(read["disabled_reason"], "failing");
}

#[apply(behaviour)]
async fn retry_after_is_honoured(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    endpoint.reply([Reply::Status(429, "retry-after: 7200\r\n", String::new())]);
    service.new_post(&ada, "Notes").await;
    service.new_post(&ada, "More").await;
    endpoint.next().await;
    wait_for_states(&fixture, &["pending"]).await;
    let log = deliveries(&service, &ada, &webhook).await;
    let time = |name: &str| {
        let text = log[0][name].as_str().unwrap();
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
    };
    let pause = time("next_attempt_at") - time("attempted_at");
    assert_eq!(pause.whole_seconds(), 7_200);
    // The next event waits too.
    let read = service.get(&webhook.path, &ada).await.expect(200).json();
    assert_eq!(read["paused_until"], log[0]["next_attempt_at"]);
    assert_eq!(log.len(), 1);
}

#[apply(behaviour)]
async fn silence_redirects_and_floods_are_bounded(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let (mut silent, mut redirecting) = (Endpoint::start().await, Endpoint::start().await);
    let (mut flooding, mut target) = (Endpoint::start().await, Endpoint::start().await);
    silent.reply([Reply::Silence]);
    let location = format!("location: {}\r\n", target.url).leak();
    redirecting.reply(vec![Reply::Status(307, location, String::new()); 5]);
    flooding.reply([Reply::Flood]);
    let kinds = json!({"kinds": POSTS});
    let mut webhooks = Vec::new();
    for endpoint in [&silent, &redirecting, &flooding] {
        webhooks.push(create(&service, &ada, endpoint, kinds.clone()).await);
    }
    service.new_post(&ada, "Notes").await;
    for endpoint in [&mut silent, &mut redirecting, &mut flooding] {
        endpoint.next().await;
    }
    wait_for_states(&fixture, &["pending", "pending", "succeeded"]).await;
    let mut errors = Vec::new();
    for webhook in &webhooks {
        let log = deliveries(&service, &ada, webhook).await;
        errors.push(log[0]["error"].clone());
    }
    assert_eq!(errors[0], "the endpoint did not answer in time");
    assert_eq!(errors[1], "the endpoint redirects, which is not followed");
    assert!(target.is_idle());
    // Socket buffers hold some megabytes.
    assert!(flooding.sent.load(Ordering::SeqCst) < 20_000_000);
    let log = deliveries(&service, &ada, &webhooks[2]).await;
    assert_eq!(log[0]["answer"].as_str().unwrap().len(), 1_024);
}

#[apply(behaviour)]
async fn a_lease_that_ended_is_taken_over(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    // A process never runs two turns of one webhook.
    let _other = fixture.serve().await;
    let permit = Arc::new(Notify::new());
    endpoint.reply([Reply::Held(500, Arc::clone(&permit))]);
    service.new_post(&ada, "Notes").await;
    let first = endpoint.next().await;
    // As if that server were frozen, and its time had run out.
    execute(&fixture, "UPDATE webhooks SET leased_until = created_at").await;
    let again = endpoint.next().await;
    assert_eq!(again.id(), first.id());
    wait_for_states(&fixture, &["succeeded"]).await;
    // What that server finds out later changes nothing. Its turn ends before that of the next event begins.
    permit.notify_one();
    service.new_post(&ada, "Next").await;
    endpoint.next().await;
    wait_for_states(&fixture, &["succeeded", "succeeded"]).await;
    let attempts = "SELECT attempts FROM webhook_deliveries ORDER BY position LIMIT 1";
    assert_eq!(value(&fixture, attempts).await, "1");
    let failures = value(&fixture, "SELECT failures FROM webhooks").await;
    assert_eq!(failures, "0");
}

/// 100 failed deliveries are those of events that are no longer kept, so that each ends as soon as it is due.
#[apply(behaviour)]
async fn a_webhook_with_a_hundred_failed_deliveries_gets_no_new_events(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    let numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100)";
    // A far time is text on SQLite, and the same point in time on PostgreSQL.
    let insert = format!(
        "{numbers} INSERT INTO webhook_deliveries (webhook_id, position, message_id, kind, state, attempts,
            attempted_at, next_attempt_at, duration_ms)
        SELECT id, n + 1000000, 'evt', 'post.created', 'pending', 1, created_at, '2999-01-01T00:00:00Z', 0
        FROM webhooks, numbers"
    );
    let insert = if fixture.is_postgres() {
        insert.replace(
            "'2999-01-01T00:00:00Z'",
            "timestamptz '2999-01-01T00:00:00Z'",
        )
    } else {
        insert
    };
    execute(&fixture, &insert).await;
    let post = service.new_post(&ada, "Waits").await;
    // The turn that finds no place ends, and waits for the first of them.
    let next = "SELECT count(*) FROM webhooks WHERE lease IS NULL AND delivered < wanted AND next_at > '2998-01-01T00:00:00Z'";
    wait_for(&fixture.connect().await, next, &["1"]).await;
    assert!(endpoint.is_idle());
    let due =
        "UPDATE webhook_deliveries SET next_attempt_at = attempted_at WHERE position = 1000001";
    execute(&fixture, due).await;
    execute(&fixture, "UPDATE webhooks SET next_at = created_at").await;
    assert_eq!(endpoint.event().await["post_id"], post);
    let withdrawn = "SELECT count(*) FROM webhook_deliveries WHERE state = 'withdrawn'";
    assert_eq!(value(&fixture, withdrawn).await, "1");
}
