//! Exports of large accounts.

use reqwest::Response;
use serde_json::{Value, json};

use crate::harness::{
    Fixture, apply, behaviour, insert_numbered, insert_posts,
    service::{Answer, Service, User},
};

/// Starts an export without reading its body.
async fn start(service: &Service, user: &User) -> Response {
    let request = service.request("GET", "/users/me/export");
    let answer = request.bearer_auth(&user.token).send().await;
    answer.expect("no answer")
}

/// Inserts more text than the buffers of a connection hold.
async fn insert_large_posts(fixture: &Fixture, owner: &User) {
    let connection = fixture.connect().await;
    insert_posts(&connection, owner.id, 800, &"x".repeat(40_000)).await;
}

fn ids(rows: &Value, name: &str) -> Vec<i64> {
    let rows = rows.as_array().expect("no array").iter();
    rows.map(|row| row[name].as_i64().expect("no id")).collect()
}

#[apply(behaviour)]
async fn an_export_of_several_pages_has_each_row_once(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let connection = fixture.connect().await;
    insert_posts(&connection, ada.id, 40, "ä\"\\\n").await;
    insert_posts(&connection, grace.id, 2_100, "c").await;
    let first = service.new_post(&ada, "Last").await - 2_140;
    let vote = format!("{}, id, created_at FROM posts", ada.id);
    insert_numbered(
        &connection,
        1,
        "votes (user_id, post_id, created_at)",
        &vote,
    )
    .await;
    let entry = format!(
        "created_at, id, 'ada', 'suspend_user', n, 's', '' FROM numbers, users WHERE id = {}",
        ada.id
    );
    let columns = "audit_log (at, actor_id, actor, action, subject_id, subject, reason)";
    insert_numbered(&connection, 1_000, columns, &entry).await;

    let export = service.get("/users/me/export", &ada).await.expect(200);
    assert_eq!(export.header("content-type"), Some("application/json"));
    let names = [
        "user",
        "posts",
        "votes",
        "sessions",
        "tokens",
        "webhooks",
        "audit_log",
    ];
    let places = names.map(|name| export.text.find(&format!("\"{name}\":")));
    assert!(places.is_sorted() && places[0] == Some(1), "{places:?}");
    let data = export.json();
    assert_eq!(data.as_object().expect("no object").len(), names.len());
    let own: Vec<i64> = (first..first + 40).chain([first + 2_140]).collect();
    assert_eq!(ids(&data["posts"], "id"), own);
    assert_eq!(data["posts"][0]["content"], "ä\"\\\n");
    let all: Vec<i64> = (first..=first + 2_140).collect();
    assert_eq!(ids(&data["votes"], "post_id"), all);
    let subjects: Vec<i64> = (1..=1_000).collect();
    assert_eq!(ids(&data["audit_log"], "subject_id"), subjects);
    assert_eq!(data["tokens"], json!([]));
    assert_eq!(data["webhooks"], json!([]));

    let head = service
        .call("HEAD", "/users/me/export", Some(&ada), None)
        .await
        .expect(200);
    for name in ["content-type", "content-disposition", "cache-control"] {
        assert_eq!(head.header(name), export.header(name));
    }
}

#[apply(behaviour)]
async fn an_export_is_a_snapshot_and_the_only_one_of_its_user(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    insert_large_posts(&fixture, &ada).await;
    let export = start(&service, &ada).await;
    let second = service.get("/users/me/export", &ada).await.problem(429);
    let detail = "an export of this account is in progress; try again when it has ended";
    assert_eq!(second["detail"], detail);
    service.get("/users/me/export", &grace).await.expect(200);
    // The export does not contain what is written after its start.
    service.new_post(&ada, "Later").await;
    let export = Answer::of(export).await.expect(200).json();
    assert_eq!(ids(&export["posts"], "id").len(), 800);
    let next = service.get("/users/me/export", &ada).await.expect(200);
    assert_eq!(ids(&next.json()["posts"], "id").len(), 801);
}

#[apply(behaviour)]
async fn exports_are_limited_in_all(fixture: Fixture) {
    let service = fixture.serve().await;
    let mut running = Vec::new();
    for name in ["ada", "grace"] {
        let user = service.user(name).await;
        insert_large_posts(&fixture, &user).await;
        running.push(start(&service, &user).await);
    }
    let eve = service.user("eve").await;
    let refused = service.get("/users/me/export", &eve).await.problem(503);
    assert_eq!(refused["detail"], "too many exports at once");
    for export in running {
        Answer::of(export).await.expect(200).json();
    }
    service.get("/users/me/export", &eve).await.expect(200);
}

/// The client must be able to tell that data is missing.
#[apply(behaviour)]
async fn an_interrupted_export_breaks_off(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    insert_large_posts(&fixture, &ada).await;
    let export = start(&service, &ada).await;
    assert_eq!(export.status(), 200);
    fixture.stop_jobs().await;
    assert!(export.text().await.is_err());
}
