//! Who may create webhooks, and to where.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::acclaim::config::Origins;
use serde_json::{Value, json};
use tokio::{sync::Notify, time::sleep};

use super::{POSTS, create, execute, let_time_pass, wait_for_states};
use crate::{
    cli::acclaim,
    harness::{
        Fixture, apply, behaviour,
        endpoint::{Endpoint, Reply},
        service::{Answer, PASSWORD, Service, User},
        wait_for, webhooks,
    },
};

#[apply(behaviour)]
async fn endpoints_must_have_public_https_urls(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.webhooks = webhooks(&[]);
    let service = fixture.start(state, Origins::These(Vec::new()));
    let ada = service.user("ada").await;
    for (url, code) in [
        ("http://hooks.example.com/", "refused"),
        ("https://127.0.0.1/", "refused"),
        ("https://2130706433/", "refused"),
        ("https://[::ffff:10.0.0.1]/", "refused"),
        ("https://169.254.169.254/latest/meta-data/", "refused"),
        ("https://ada:secret@hooks.example.com/", "format"),
        ("ftp://hooks.example.com/", "format"),
        ("hooks.example.com", "format"),
    ] {
        let refused = service.post("/webhooks", &ada, json!({"url": url})).await;
        assert_eq!(refused.field_errors(), [format!("url {code}")], "{url}");
    }
    let url = json!({"url": "https://hooks.example.com/a?key=b"});
    let created = service
        .post("/webhooks", &ada, url.clone())
        .await
        .expect(201);
    assert_eq!(created.json()["url"], url["url"]);
    let path = created.header("location").unwrap();
    let change = json!({"url": "https://10.0.0.1/"});
    let refused = service.call("PATCH", path, Some(&ada), Some(change)).await;
    assert_eq!(refused.field_errors(), ["url refused"]);
}

#[apply(behaviour)]
async fn a_host_with_a_private_address_is_refused_when_it_is_resolved(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.webhooks = webhooks(&[("WEBHOOK_ALLOW_HTTP", "true")]);
    let service = fixture.start(state, Origins::These(Vec::new()));
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let url = endpoint.url.replace("127.0.0.1", "localhost");
    let created = service.post("/webhooks", &ada, json!({"url": url})).await;
    let path = created.expect(201).header("location").unwrap().to_owned();
    let test = service
        .call("POST", &format!("{path}/test"), Some(&ada), None)
        .await;
    let outcome = test.expect(200).json();
    assert_eq!(
        outcome["error"],
        "the host does not exist, or has no public address"
    );
    assert!(endpoint.is_idle());
}

#[apply(behaviour)]
async fn hosts_can_be_limited(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.webhooks = webhooks(&[("WEBHOOK_ALLOWED_HOSTS", "hooks.example.com, *.example.org")]);
    let service = fixture.start(state, Origins::These(Vec::new()));
    let ada = service.user("ada").await;
    for (url, status) in [
        ("https://hooks.example.com/", 201),
        ("https://HOOKS.example.com/", 201),
        ("https://a.b.example.org/", 201),
        ("https://example.org/", 422),
        ("https://evil-example.org/", 422),
        ("https://hooks.example.com.evil.example/", 422),
        ("https://93.184.215.14/", 422),
    ] {
        let answer = service.post("/webhooks", &ada, json!({"url": url})).await;
        assert_eq!(answer.status, status, "{url}");
    }
}

#[apply(behaviour)]
async fn webhooks_belong_to_their_users(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({})).await;
    let path = &webhook.path;
    let body = json!({"enabled": false});
    for (method, path, body) in [
        ("GET", path.clone(), None),
        ("PATCH", path.clone(), Some(body)),
        ("DELETE", path.clone(), None),
        ("POST", format!("{path}/secret"), None),
        ("POST", format!("{path}/test"), None),
        ("GET", format!("{path}/deliveries"), None),
        (
            "POST",
            format!("{path}/redeliver"),
            Some(json!({"after": 0})),
        ),
        ("POST", format!("{path}/deliveries/1/redeliver"), None),
    ] {
        service
            .call(method, &path, Some(&bob), body)
            .await
            .problem(404);
    }
    let list = async |user: &User| service.get("/webhooks", user).await.expect(200).json();
    assert_eq!(list(&bob).await, json!([]));
    let own = list(&ada).await;
    assert_eq!(own[0]["id"], webhook.id);
    assert_eq!(own[0].get("secret"), None);
}

#[apply(behaviour)]
async fn only_a_whole_session_creates_webhooks(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let new = json!({"name": "script", "scopes": ["account", "events:read"]});
    let token = service.post("/tokens", &ada, new).await.expect(201).json();
    let token = User {
        token: token["token"].as_str().unwrap().to_owned(),
        ..ada.clone()
    };
    let url = json!({"url": Endpoint::start().await.url});
    let refused = service
        .post("/webhooks", &token, url.clone())
        .await
        .problem(403);
    assert_eq!(refused["type"], "/problems/session-required");
    let everything = json!({"url": Endpoint::start().await.url, "everything": true});
    let refused = service
        .post("/webhooks", &ada, everything)
        .await
        .problem(403);
    assert_eq!(refused["type"], "/problems/role-required");
    // The log of deliveries needs no session.
    let created = service
        .post("/webhooks", &ada, url)
        .await
        .expect(201)
        .json();
    let path = format!("/webhooks/{}/deliveries", created["id"]);
    service.get(&path, &token).await.expect(200);
}

#[apply(behaviour)]
async fn a_user_has_ten_webhooks(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let body = json!({"url": Endpoint::start().await.url});
    let mut paths = Vec::new();
    for _ in 0..10 {
        let created = service
            .post("/webhooks", &ada, body.clone())
            .await
            .expect(201);
        paths.push(created.header("location").unwrap().to_owned());
    }
    let refused = service
        .post("/webhooks", &ada, body.clone())
        .await
        .problem(409);
    assert_eq!(refused["type"], "/problems/webhook-limit");
    service
        .call("DELETE", &paths[0], Some(&ada), None)
        .await
        .expect(204);
    service.post("/webhooks", &ada, body).await.expect(201);
}

#[apply(behaviour)]
async fn a_repeated_request_creates_one_webhook(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let post = async |path: &str, body: Option<Value>| {
        let mut request = service.request("POST", path).bearer_auth(&ada.token);
        request = request.header("idempotency-key", "one");
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request.send().await.unwrap()).await
    };
    let body = json!({"url": Endpoint::start().await.url});
    let created = post("/webhooks", Some(body.clone())).await.expect(201);
    let path = created.header("location").unwrap().to_owned();
    let again = post("/webhooks", Some(body)).await.problem(409);
    assert_eq!(again["type"], "/problems/answer-not-stored");
    assert!(again["detail"].as_str().unwrap().contains(&path));
    let list = service.get("/webhooks", &ada).await.expect(200).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[apply(behaviour)]
async fn a_deleted_or_disabled_webhook_gets_nothing(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let (deleted, mut disabled) = (Endpoint::start().await, Endpoint::start().await);
    let mut other = Endpoint::start().await;
    let kinds = json!({"kinds": POSTS});
    let first = create(&service, &ada, &deleted, kinds.clone()).await;
    let second = create(&service, &ada, &disabled, kinds.clone()).await;
    create(&service, &ada, &other, kinds).await;
    service
        .call("DELETE", &first.path, Some(&ada), None)
        .await
        .expect(204);
    let off = json!({"enabled": false});
    let off = service
        .call("PATCH", &second.path, Some(&ada), Some(off))
        .await;
    assert_eq!(off.expect(200).json()["disabled_reason"], "owner");
    let post = service.new_post(&ada, "Notes").await;
    assert_eq!(other.event().await["post_id"], post);
    // Only one of the webhooks that are left was told.
    let told = "SELECT url FROM webhook_deliveries JOIN webhooks ON webhooks.id = webhook_id";
    wait_for(&fixture.connect().await, told, &[&other.url]).await;
    let on = json!({"enabled": true});
    service
        .call("PATCH", &second.path, Some(&ada), Some(on))
        .await
        .expect(200);
    assert_eq!(disabled.event().await["post_id"], post);
}

/// Makes `name` an admin and signs in again.
async fn admin(fixture: &Fixture, service: &Service, name: &str) -> User {
    let promoted = acclaim(fixture, &["user", "promote", name, "--role", "admin"]).await;
    assert_eq!(promoted.code, Some(0), "{}", promoted.stderr);
    service.sign_in(name, PASSWORD).await
}

#[apply(behaviour)]
async fn the_rights_of_the_owner_count_at_the_delivery(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    service.user("rosa").await;
    let rosa = admin(&fixture, &service, "rosa").await;
    let (mut of_ada, mut of_rosa) = (Endpoint::start().await, Endpoint::start().await);
    let everything = json!({"kinds": "post.created", "everything": true});
    create(&service, &rosa, &of_rosa, everything).await;
    create(&service, &ada, &of_ada, json!({"kinds": "post.created"})).await;

    let draft = service.new_draft(&bob, "Draft").await;
    assert_eq!(of_rosa.event().await["post_id"], draft);
    // The first attempt fails. At the second the post is a draft.
    of_ada.reply([Reply::status(500)]);
    let post = service.new_post(&bob, "Post").await;
    assert_eq!(of_ada.event().await["post_id"], post);
    assert_eq!(of_rosa.event().await["post_id"], post);
    let path = format!("/posts/{post}");
    let unpublish = json!({"published": false});
    service
        .call("PATCH", &path, Some(&bob), Some(unpublish))
        .await
        .expect(200);
    let_time_pass(&fixture).await;
    let states = "SELECT state FROM webhook_deliveries JOIN webhooks ON webhooks.id = webhook_id
        WHERE NOT sees_all";
    wait_for(&fixture.connect().await, states, &["withdrawn"]).await;
    assert!(of_ada.is_idle());

    let demoted = acclaim(&fixture, &["user", "promote", "rosa", "--role", "user"]).await;
    assert_eq!(demoted.code, Some(0), "{}", demoted.stderr);
    service.new_draft(&bob, "Hidden").await;
    let post = service.new_post(&bob, "Open").await;
    assert_eq!(of_rosa.event().await["post_id"], post);
    assert_eq!(of_ada.event().await["post_id"], post);

    execute(
        &fixture,
        "UPDATE users SET suspended_at = created_at WHERE username = 'ada'",
    )
    .await;
    let post = service.new_post(&bob, "Later").await;
    assert_eq!(of_rosa.event().await["post_id"], post);
    // The suspension ends, and the endpoint gets what came meanwhile.
    let marked = "SELECT count(*) FROM webhooks WHERE delivered < wanted AND NOT sees_all";
    wait_for(&fixture.connect().await, marked, &["1"]).await;
    assert!(of_ada.is_idle());
    execute(
        &fixture,
        "UPDATE users SET suspended_at = NULL WHERE username = 'ada'",
    )
    .await;
    assert_eq!(of_ada.event().await["post_id"], post);
}

#[apply(behaviour)]
async fn the_webhooks_of_a_deleted_account_are_deleted(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    service.new_post(&ada, "Notes").await;
    endpoint.next().await;
    wait_for_states(&fixture, &["succeeded"]).await;
    let password = json!({"current_password": PASSWORD});
    service
        .call("DELETE", "/users/me", Some(&ada), Some(password))
        .await
        .expect(204);
    wait_for(&fixture.connect().await, "SELECT id FROM webhooks", &[]).await;
    wait_for_states(&fixture, &[]).await;
}

#[apply(behaviour)]
async fn a_new_password_disables_webhooks(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    let body = json!({"password": "battery staple", "current_password": PASSWORD});
    service
        .call("PATCH", "/users/me", Some(&ada), Some(body))
        .await
        .expect(200);
    let ada = service.sign_in("ada", "battery staple").await;
    let read = service.get(&webhook.path, &ada).await.expect(200).json();
    assert_eq!(
        (&read["enabled"], &read["disabled_reason"]),
        (&json!(false), &json!("password"))
    );
    let events = "/events?after=0&kinds=webhook.disabled";
    let pages = async || service.get(events, &ada).await.expect(200).json();
    let deadline = Instant::now() + Duration::from_secs(30);
    while pages().await[0]["webhook_id"] != webhook.id {
        assert!(Instant::now() < deadline, "no event");
        sleep(Duration::from_millis(20)).await;
    }
}

#[apply(behaviour)]
async fn a_user_has_one_test_at_a_time(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut endpoint = Endpoint::start().await;
    let webhook = create(&service, &ada, &endpoint, json!({"kinds": POSTS})).await;
    let permit = Arc::new(Notify::new());
    endpoint.reply([Reply::Held(204, Arc::clone(&permit))]);
    let path = format!("{}/test", webhook.path);
    let test = async || service.call("POST", &path, Some(&ada), None).await;
    let (first, second) = tokio::join!(test(), async {
        endpoint.next().await;
        let second = test().await;
        permit.notify_one();
        second
    });
    assert_eq!(first.expect(200).json()["status"], 204);
    let refused = second.problem(409);
    assert_eq!(refused["type"], "/problems/webhook-test-running");
}
