//! Credentials of streams.

use acclaim::config::Origins;
use serde_json::json;

use super::{Stream, numbered};
use crate::harness::{
    Fixture, apply, behaviour, insert_posts,
    process::run,
    service::{Service, User},
};

/// Another server on the same database.
async fn another(fixture: &Fixture) -> Service {
    let state = fixture.state(&fixture.database()).await;
    fixture.start(state, Origins::These(Vec::new()))
}

async fn ends(stream: &mut Stream) {
    loop {
        let event = stream.next().await.expect("ended without a word");
        if event.name == "unauthorized" {
            break;
        }
    }
    assert!(stream.next().await.is_none());
}

/// A personal access token of `user`.
async fn token(service: &Service, user: &User, scopes: &[&str]) -> (i64, User) {
    let body = json!({"name": "reader", "scopes": scopes});
    let made = service.post("/tokens", user, body).await.expect(201).json();
    let token = made["token"].as_str().unwrap().to_owned();
    let user = User {
        token,
        ..user.clone()
    };
    (made["id"].as_i64().unwrap(), user)
}

#[apply(behaviour)]
async fn a_stream_ends_with_its_credential_on_every_server(fixture: Fixture) {
    let one = fixture.serve().await;
    let other = another(&fixture).await;
    let ada = one.user("ada").await;
    let second = one.sign_in("ada", crate::harness::service::PASSWORD).await;
    let (id, reader) = token(&one, &ada, &["events:read"]).await;
    numbered(&fixture).await;
    let path = "/events?kinds=post.*";
    for service in [&one, &other] {
        service.get("/events", &second).await.expect(200);
    }
    let mut ended = [
        Stream::of(&one, path, &second).await,
        Stream::of(&other, path, &second).await,
    ];
    let mut revoked = [
        Stream::of(&one, path, &reader).await,
        Stream::of(&other, path, &reader).await,
    ];
    let mut kept = Stream::of(&other, path, &ada).await;
    one.call("POST", "/logout", Some(&second), None)
        .await
        .expect(204);
    for stream in &mut ended {
        ends(stream).await;
    }
    // At once, in place of after 4 s.
    other.get("/events", &second).await.problem(401);
    let path = format!("/tokens/{id}");
    one.call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    for stream in &mut revoked {
        ends(stream).await;
    }
    let post = one.new_post(&ada, "Still here").await;
    assert_eq!(
        kept.told().await,
        format!("post.created post={post} owner=1")
    );
}

/// The client reads slowly: most posts of a page are still to be sent.
#[apply(behaviour)]
async fn a_stream_with_posts_ends_before_the_next_post(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let content = "word ".repeat(7_000);
    insert_posts(&fixture.connect().await, ada.id, 200, &content).await;
    numbered(&fixture).await;
    let path = "/events?after=0&kinds=post.*&include=post";
    let mut stream = Stream::of(&service, path, &ada).await;
    stream.told().await;
    service
        .call("POST", "/logout", Some(&ada), None)
        .await
        .expect(204);
    let mut posts = 1;
    while stream.next().await.expect("ended without a word").name != "unauthorized" {
        posts += 1;
    }
    assert!(posts < 200, "{posts}");
}

#[apply(behaviour)]
async fn a_stream_ends_with_its_user(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let (_, reader) = token(&service, &ada, &["events:read"]).await;
    numbered(&fixture).await;
    let mut suspended = Stream::of(&service, "/events?kinds=vote.*", &reader).await;
    let settings = [("DATABASE_URL", fixture.url.as_str())];
    let done = run(fixture.folder(), &["user", "suspend", "ada"], &settings).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    ends(&mut suspended).await;
    let mut deleted = Stream::of(&service, "/events?kinds=vote.*", &bob).await;
    let body = json!({"current_password": crate::harness::service::PASSWORD});
    service
        .call("DELETE", "/users/me", Some(&bob), Some(body))
        .await
        .expect(204);
    ends(&mut deleted).await;
}

#[apply(behaviour)]
async fn an_admin_who_is_none_any_more_sees_no_moderation(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let settings = [("DATABASE_URL", fixture.url.as_str())];
    let promote = async |role: &str| {
        let command = ["user", "promote", "ada", "--role", role];
        let done = run(fixture.folder(), &command, &settings).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    };
    promote("admin").await;
    numbered(&fixture).await;
    let mut stream = Stream::of(&service, "/events?after=0&kinds=moderation.*,post.*", &ada).await;
    assert_eq!(stream.told().await, "moderation.change_role audit_entry=1");
    let path = format!("/users/{}/suspension", bob.id);
    service
        .call("PUT", &path, Some(&ada), Some(json!({})))
        .await
        .expect(200);
    assert_eq!(stream.told().await, "post.deleted owner=2");
    assert_eq!(stream.told().await, "moderation.suspend_user audit_entry=2");
    promote("user").await;
    let post = service.new_post(&ada, "As a user").await;
    assert_eq!(
        stream.told().await,
        format!("post.created post={post} owner=1")
    );
}

#[apply(behaviour)]
async fn scopes_limit_streams(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let (_, reader) = token(&service, &ada, &["posts:read"]).await;
    let refused = service.get("/events", &reader).await.problem(403);
    assert_eq!(refused["type"], "/problems/insufficient-scope");
    service
        .call("POST", "/events/tickets", Some(&reader), None)
        .await
        .problem(403);
    let (_, reader) = token(&service, &ada, &["events:read"]).await;
    service.get("/events", &reader).await.expect(200);
    service
        .get("/events?include=post", &reader)
        .await
        .problem(403);
    service
        .call("GET", "/events", None, None)
        .await
        .problem(401);
}
