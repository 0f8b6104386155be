//! The bound on the text that a bulk write changes.

use futures_util::future::join;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{counts, send};
use crate::harness::{
    Fixture, apply, behaviour, column, insert_posts,
    service::{Answer, Service, User},
    sqlite_behaviour,
};

const MIB: usize = 1024 * 1024;

/// Inserts `count` posts of `user` with the keys 1, 2, and so on. Their ids are the same.
async fn insert(fixture: &Fixture, user: &User, count: u32, content: &str) {
    let connection = fixture.connect().await;
    insert_posts(&connection, user.id, count, content).await;
    let keys = "UPDATE posts SET external_id = CAST(id AS text)";
    connection.execute_unprepared(keys).await.unwrap();
}

/// `row` for each of the first `count` posts.
fn rows(count: u32, row: impl Fn(u32) -> Value) -> Value {
    (1..=count).map(row).collect()
}

async fn call(service: &Service, user: &User, method: &str, path: &str, body: &Value) -> Answer {
    let body = Some(body.clone());
    service.call(method, path, Some(user), body).await
}

/// Makes the row of a post with this id.
type Row = fn(u32) -> Value;

#[apply(behaviour)]
async fn a_request_changes_at_most_1_mib_of_text(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let content = "two words ".repeat(2_000);
    insert(&fixture, &ada, 60, &content).await;
    let connection = fixture.connect().await;
    let state = "SELECT id || title || version || tags FROM posts WHERE owner_id = 1 ORDER BY id";
    let before = column(&connection, state).await;
    let title = |id: u32| json!({"id": id, "title": "Newer"});
    let short = |id: u32| {
        json!({"external_id": id.to_string(), "title": "Title", "content": "Short.",
               "published": true, "tags": ["tag"]})
    };
    let key = |id: u32| json!({"id": id});
    let cases: [(&str, Row, usize, u32); 3] = [
        ("PATCH", title, 2 * 20_005, 26),
        ("POST", short, 20_005 + 11, 52),
        ("DELETE", key, 20_005, 52),
    ];
    for (method, row, bytes, _) in cases {
        for (path, atomic) in [
            ("/posts/bulk", true),
            ("/posts/bulk", false),
            ("/posts/bulk?dry_run=true", true),
        ] {
            let mut body = json!({"posts": rows(60, row), "atomic": atomic});
            if method == "POST" {
                body["on_conflict"] = json!("update");
            }
            let refused = call(&service, &ada, method, path, &body);
            let other = json!({"title": "Title", "content": "Words."});
            let (refused, other) = join(refused, service.post("/posts", &grace, other)).await;
            assert_eq!(refused.field_errors(), ["posts length"]);
            let detail = format!(
                "posts must add, replace and delete at most {MIB} bytes of text at once, and come to {}; send fewer rows",
                60 * bytes
            );
            assert_eq!(refused.json()["detail"], detail);
            other.expect(201);
        }
    }
    assert_eq!(column(&connection, state).await, before);
    // Changes that do not touch the text cost little, and unchanged posts nothing.
    let same = |id| json!({"id": id, "content": content, "tags": ["new"]});
    let result = send(&service, &ada, "PATCH", &rows(50, same), json!({})).await;
    assert_eq!(counts(&result.expect(200).json()), [0, 50, 0, 0, 0, 0]);
    let result = send(&service, &ada, "PATCH", &rows(50, same), json!({})).await;
    assert_eq!(counts(&result.expect(200).json()), [0, 0, 50, 0, 0, 0]);
    // As many rows as fit.
    for (method, row, _, count) in cases {
        if method == "DELETE" {
            // They are short now.
            let result = send(&service, &ada, method, &rows(60, row), json!({})).await;
            assert_eq!(counts(&result.expect(200).json()), [0, 0, 0, 0, 60, 0]);
            continue;
        }
        let options = match method {
            "POST" => json!({"on_conflict": "update"}),
            _ => json!({}),
        };
        let refused = send(
            &service,
            &ada,
            method,
            &rows(count + 1, row),
            options.clone(),
        )
        .await;
        assert_eq!(refused.field_errors(), ["posts length"]);
        let result = send(&service, &ada, method, &rows(count, row), options).await;
        assert_eq!(counts(&result.expect(200).json())[1], u64::from(count));
    }
}

#[apply(sqlite_behaviour)]
async fn rewriting_very_many_long_posts_is_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    insert(&fixture, &ada, 220, &"\u{1f600}".repeat(40_000)).await;
    let tags = |id| json!({"id": id, "tags": []});
    let refused = send(&service, &ada, "PATCH", &rows(220, tags), json!({})).await;
    assert_eq!(refused.field_errors(), ["posts length"]);
    let result = send(&service, &ada, "PATCH", &rows(200, tags), json!({})).await;
    assert_eq!(counts(&result.expect(200).json())[1], 200);
}

#[apply(behaviour)]
async fn the_posts_of_the_largest_body_are_created_and_deleted(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut posts: Vec<Value> = (0..26)
        .map(|_| json!({"title": "t", "content": "c ".repeat(20_000)}))
        .collect();
    let length = |posts: &[Value]| json!({"posts": posts}).to_string().len();
    let empty = json!({"title": "t", "content": ""});
    posts.push(empty);
    let rest = MIB - length(&posts);
    posts[26]["content"] = json!("c".repeat(rest));
    assert_eq!(length(&posts), MIB);
    let result = send(&service, &ada, "POST", &posts.into(), json!({})).await;
    let result = result.expect(201).json();
    assert_eq!(counts(&result), [27, 0, 0, 0, 0, 0]);
    let created = result["posts"].as_array().unwrap().iter();
    let keys: Value = created.map(|post| json!({"id": post["id"]})).collect();
    let result = send(&service, &ada, "DELETE", &keys, json!({})).await;
    assert_eq!(counts(&result.expect(200).json()), [0, 0, 0, 0, 27, 0]);
}
