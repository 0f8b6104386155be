//! What an endpoint gets.

use std::collections::BTreeSet;

use serde_json::json;

use super::{POSTS, create, deliveries, execute, wait_for_states};
use crate::{
    events::numbered,
    harness::{
        Fixture, apply, behaviour,
        endpoint::{Endpoint, Reply},
        service::Service,
    },
};

#[apply(behaviour)]
async fn an_endpoint_gets_signed_events(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    service.new_post(&ada, "Before").await;
    // Otherwise its event may get a position after the creation of the webhook.
    numbered(&fixture).await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    assert!(webhook.secret.starts_with("whsec_"));
    let read = service.get(&webhook.path, &ada).await.expect(200).json();
    assert_eq!(read["secret"], json!(null));
    assert_eq!(
        (&read["enabled"], &read["kinds"]),
        (&json!(true), &json!(POSTS))
    );

    let post = service.new_post(&ada, "Notes").await;
    let message = endpoint.next().await;
    assert_eq!(message.path, "/hook");
    assert_eq!(message.header("content-type"), "application/json");
    assert!(message.is_signed_by(&webhook.secret));
    assert!(!message.is_signed_by("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    let events = service.get("/events?after=0&kinds=post.*", &ada).await;
    let event = events.expect(200).json()[1].clone();
    assert_eq!(event["post_id"], post);
    let body = message.json();
    assert_eq!(body["type"], "post.created");
    assert_eq!(body["timestamp"], event["at"]);
    assert_eq!(body["data"], event);

    wait_for_states(&fixture, &["succeeded"]).await;
    let log = deliveries(&service, &ada, &webhook).await;
    assert_eq!(log[0]["id"], message.id());
    assert_eq!(log[0]["position"], event["position"]);
    assert_eq!(
        (&log[0]["status"], &log[0]["attempts"]),
        (&json!(204), &json!(1))
    );
}

#[apply(behaviour)]
async fn events_come_in_their_order_and_once(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    // Another server on the same database takes turns.
    let other = fixture.serve().await;
    let mut posts = Vec::new();
    for number in 0..20 {
        let service = if number % 2 == 0 { &service } else { &other };
        posts.push(service.new_post(&ada, "Notes").await);
    }
    let mut ids = BTreeSet::new();
    for post in posts {
        let message = endpoint.next().await;
        assert_eq!(message.event()["post_id"], post);
        assert!(message.is_signed_by(&webhook.secret));
        assert!(ids.insert(message.id().to_owned()));
    }
    wait_for_states(&fixture, &["succeeded"; 20]).await;
    assert!(endpoint.is_idle());
}

#[apply(behaviour)]
async fn filters_select_events(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let first = service.new_post(&ada, "First").await;
    numbered(&fixture).await;
    let mut of_bob = Endpoint::start().await;
    let mut of_first = Endpoint::start().await;
    let mut with_tag = Endpoint::start().await;
    let filter = json!({"owner_id": bob.id, "kinds": POSTS});
    let webhook = create(&service, &ada, &of_bob, filter).await;
    create(&service, &ada, &of_first, json!({"post_id": first})).await;
    let filter = json!({"tag": "engines", "kinds": "post.created", "include_post": true});
    create(&service, &ada, &with_tag, filter).await;

    let body = json!({"title": "Tagged", "content": "-", "tags": ["engines"]});
    let tagged = service.post("/posts", &ada, body).await.expect(201).json();
    let other = service.new_post(&bob, "Bob's").await;
    let vote = format!("/posts/{first}/vote");
    service
        .call("PUT", &vote, Some(&bob), None)
        .await
        .expect(200);

    assert_eq!(of_bob.event().await["post_id"], other);
    let event = of_first.event().await;
    assert_eq!(
        (&event["kind"], &event["votes"]),
        (&json!("vote.added"), &json!(1))
    );
    // Nobody learns the votes of others.
    assert_eq!(event.get("user_id"), None);
    assert_eq!(with_tag.event().await["post"]["title"], tagged["title"]);

    // A filter that is removed.
    let change = json!({"owner_id": null, "kinds": "post.deleted"});
    let changed = service
        .call("PATCH", &webhook.path, Some(&ada), Some(change))
        .await;
    let changed = changed.expect(200).json();
    assert_eq!(
        (&changed["owner_id"], &changed["kinds"]),
        (&json!(null), &json!("post.deleted"))
    );
    let path = format!("/posts/{}", tagged["id"]);
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    assert_eq!(of_bob.event().await["post_id"], tagged["id"]);
    // Of a deleted post the tags are gone, and this endpoint wants new posts only.
    let body = json!({"title": "Tagged, too", "content": "-", "tags": ["engines"]});
    service.post("/posts", &ada, body).await.expect(201);
    assert_eq!(with_tag.event().await["post"]["title"], "Tagged, too");
}

#[apply(behaviour)]
async fn a_replaced_secret_signs_for_another_day(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    let path = format!("{}/secret", webhook.path);
    let rotate = async || {
        let rotated = service.call("POST", &path, Some(&ada), None).await;
        let rotated = rotated.expect(201).json();
        rotated["secret"].as_str().unwrap().to_owned()
    };
    let second = rotate().await;
    assert_ne!(second, webhook.secret);
    service.new_post(&ada, "During").await;
    let message = endpoint.next().await;
    assert_eq!(message.header("webhook-signature").split(' ').count(), 2);
    assert!(message.is_signed_by(&webhook.secret) && message.is_signed_by(&second));

    let third = rotate().await;
    service.new_post(&ada, "Later").await;
    let message = endpoint.next().await;
    assert!(message.is_signed_by(&second) && message.is_signed_by(&third));
    assert!(!message.is_signed_by(&webhook.secret));

    execute(
        &fixture,
        "UPDATE webhooks SET previous_secret_until = created_at",
    )
    .await;
    service.new_post(&ada, "After").await;
    let message = endpoint.next().await;
    assert!(message.is_signed_by(&third) && !message.is_signed_by(&second));
}

#[apply(behaviour)]
async fn a_test_does_not_count(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    let test = async |service: &Service| {
        let path = format!("{}/test", webhook.path);
        let outcome = service.call("POST", &path, Some(&ada), None).await;
        outcome.expect(200).json()
    };
    let outcome = test(&service).await;
    assert_eq!(
        (&outcome["succeeded"], &outcome["status"]),
        (&json!(true), &json!(204))
    );
    let message = endpoint.next().await;
    assert!(message.is_signed_by(&webhook.secret));
    assert_eq!(message.json()["type"], "webhook.test");

    let reply = Reply::Status(500, "", "out of order".to_owned());
    endpoint.reply([reply, Reply::status(410)]);
    let outcome = test(&service).await;
    assert_eq!(
        (&outcome["succeeded"], &outcome["status"]),
        (&json!(false), &json!(500))
    );
    assert_eq!(outcome["answer"], "out of order");
    assert_eq!(test(&service).await["status"], 410);
    let read = service.get(&webhook.path, &ada).await.expect(200).json();
    assert_eq!(
        (&read["enabled"], &read["failing_since"]),
        (&json!(true), &json!(null))
    );
    assert!(deliveries(&service, &ada, &webhook).await.is_empty());
}
