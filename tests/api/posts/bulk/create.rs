//! Creating and upserting many posts.

use serde_json::{Value, json};

use super::{super::external_ids::token, counts, field_errors, outcomes, rows, send};
use crate::harness::{
    Fixture, apply, behaviour, column,
    service::{Service, User},
};

const TAKEN: &str = "/problems/external-id-taken";
const INVALID: &str = "/problems/unprocessable-content";

async fn posts(service: &Service, user: &User) -> Vec<Value> {
    let list = service.get("/posts?sort=old&limit=100", user).await;
    list.expect(200).json().as_array().unwrap().clone()
}

#[apply(behaviour)]
async fn many_posts_are_created_in_order(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let new = json!([
        {"title": "First", "content": "Words.", "tags": ["b", "a"], "external_id": "1",
         "metadata": {"celsius": 21.5}},
        {"title": "Draft", "content": "Hidden.", "published": false},
        {"title": "Third", "content": "Analytical words."},
    ]);
    let answer = send(&service, &ada, "POST", &new, json!({}))
        .await
        .expect(201);
    let result = answer.json();
    assert_eq!(counts(&result), [3, 0, 0, 0, 0, 0]);
    assert_eq!(outcomes(&result), ["created"; 3]);
    let all = posts(&service, &ada).await;
    assert_eq!(all.len(), 3);
    for ((post, row), sent) in all
        .iter()
        .zip(result["posts"].as_array().unwrap())
        .zip(new.as_array().unwrap())
    {
        assert_eq!(
            (&post["id"], &post["version"]),
            (&row["id"], &row["version"])
        );
        for (name, value) in sent.as_object().unwrap() {
            assert_eq!(&post[name], value);
        }
    }
    for (path, count) in [
        ("/posts?tag=a", 1),
        ("/posts?search=analytical", 1),
        ("/posts?published=false", 1),
        ("/posts?metadata.celsius=21.5", 1),
        ("/posts?sort=hot", 3),
    ] {
        let found = service.get(path, &ada).await.expect(200).json();
        assert_eq!(found.as_array().unwrap().len(), count, "{path}");
    }
}

#[apply(behaviour)]
async fn rows_sent_again_are_unchanged(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let update = || json!({"on_conflict": "update"});
    let first = send(&service, &ada, "POST", &rows(1_000, "Post"), update()).await;
    assert_eq!(counts(&first.expect(201).json()), [1_000, 0, 0, 0, 0, 0]);
    let connection = fixture.connect().await;
    let state = "SELECT version || ' ' || id || updated_at || title FROM posts ORDER BY id";
    let before = column(&connection, state).await;
    let again = send(&service, &ada, "POST", &rows(1_000, "Post"), update()).await;
    let again = again.expect(200).json();
    assert_eq!(counts(&again), [0, 0, 1_000, 0, 0, 0]);
    assert_eq!(again["posts"][999]["version"], 1);
    assert_eq!(column(&connection, state).await, before);

    let mut changed = rows(6, "Post");
    changed[0]["title"] = json!("Other");
    changed[1]["metadata"] = json!({"number": 1.0});
    changed[2]["tags"] = json!([]);
    changed[3]["published"] = json!(false);
    changed[4].as_object_mut().unwrap().remove("metadata");
    changed[5]["external_id"] = json!("new");
    let result = send(&service, &ada, "POST", &changed, update()).await;
    let result = result.expect(201).json();
    assert_eq!(counts(&result), [1, 5, 0, 0, 0, 0]);
    assert_eq!(result["posts"][0]["version"], 2);
    for (index, (name, value)) in [
        ("title", json!("Other")),
        ("metadata", json!({"number": 1.0})),
        ("tags", json!([])),
        ("published", json!(false)),
        ("metadata", Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/posts/{}", result["posts"][index]["id"]);
        let post = service.get(&path, &ada).await.expect(200).json();
        assert_eq!((&post[name], &post["version"]), (&value, &json!(2)));
    }
    let found = service.get("/posts?search=other", &ada).await.json();
    assert_eq!(found.as_array().unwrap().len(), 1);
}

#[apply(behaviour)]
async fn a_taken_external_id_fails_its_row_or_is_ignored(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let first = send(&service, &ada, "POST", &rows(2, "Old"), json!({})).await;
    let first = first.expect(201).json();
    // The ids of another user are free.
    let other = send(&service, &grace, "POST", &rows(2, "Old"), json!({})).await;
    other.expect(201);

    let refused = send(&service, &ada, "POST", &rows(3, "New"), json!({})).await;
    let refused = refused.problem(409);
    assert_eq!(refused["type"], TAKEN);
    assert_eq!(
        field_errors(&refused),
        ["posts[0].external_id taken", "posts[1].external_id taken"]
    );
    let detail = format!(
        "2 rows failed, and nothing was changed; posts[0]: your post {} has this external_id",
        first["posts"][0]["id"]
    );
    assert_eq!(refused["detail"], detail);
    let count = "SELECT count(*) FROM posts";
    let connection = fixture.connect().await;
    assert_eq!(column(&connection, count).await, ["4"]);

    let each = json!({"atomic": false});
    let result = send(&service, &ada, "POST", &rows(3, "New"), each)
        .await
        .expect(201);
    assert_eq!(outcomes(&result.json()), [TAKEN, TAKEN, "created"]);
    let ignored = json!({"on_conflict": "ignore"});
    let result = send(&service, &ada, "POST", &rows(4, "Newer"), ignored).await;
    let result = result.expect(201).json();
    assert_eq!(counts(&result), [1, 0, 0, 3, 0, 0]);
    assert_eq!(result["posts"][0]["id"], first["posts"][0]["id"]);
    let titles = posts(&service, &ada).await;
    assert!(titles.iter().all(|post| post["title"] != "Newer 0"));
}

#[apply(behaviour)]
async fn one_bad_row_of_a_thousand_fails_all_or_itself(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut bad = rows(1_000, "Post");
    bad[3] = json!({"title": " ", "content": "c", "tags": ["A"]});
    let refused = send(&service, &ada, "POST", &bad, json!({})).await;
    assert_eq!(
        refused.field_errors(),
        ["posts[3].tags format", "posts[3].title blank"]
    );
    let connection = fixture.connect().await;
    let count = "SELECT count(*) FROM posts";
    assert_eq!(column(&connection, count).await, ["0"]);
    let result = send(&service, &ada, "POST", &bad, json!({"atomic": false})).await;
    let result = result.expect(201).json();
    assert_eq!(counts(&result), [999, 0, 0, 0, 0, 1]);
    let row = &result["posts"][3];
    assert_eq!(
        (&row["outcome"], &row["problem"]["type"]),
        (&json!("failed"), &json!(INVALID))
    );
    assert_eq!(
        field_errors(&row["problem"]),
        ["tags format", "title blank"]
    );
    assert_eq!(column(&connection, count).await, ["999"]);
}

#[apply(behaviour)]
async fn a_row_sent_twice_is_an_error_of_the_second(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut twice = rows(3, "Post");
    twice[2]["external_id"] = json!("key 0");
    for on_conflict in ["error", "ignore", "update"] {
        let options = json!({"on_conflict": on_conflict});
        let refused = send(&service, &ada, "POST", &twice, options).await;
        assert_eq!(refused.field_errors(), ["posts[2] duplicate"]);
    }
    for (on_conflict, outcome) in [("update", "created"), ("ignore", "ignored")] {
        let options = json!({"on_conflict": on_conflict, "atomic": false});
        let result = send(&service, &ada, "POST", &twice, options).await.json();
        assert_eq!(outcomes(&result), [outcome, outcome, INVALID]);
    }
}

#[apply(behaviour)]
async fn a_dry_run_changes_nothing(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    send(&service, &ada, "POST", &rows(2, "Old"), json!({}))
        .await
        .expect(201);
    let before = posts(&service, &ada).await;
    let mut new = rows(3, "Old");
    new[1]["title"] = json!("New");
    let keys = json!([{"external_id": "key 0"}]);
    let change = json!([{"external_id": "key 0", "title": "Changed"}]);
    for (method, rows, options, expected) in [
        (
            "POST",
            &new,
            json!({"on_conflict": "update"}),
            [1, 1, 1, 0, 0, 0],
        ),
        ("PATCH", &change, json!({}), [0, 1, 0, 0, 0, 0]),
        ("DELETE", &keys, json!({}), [0, 0, 0, 0, 1, 0]),
    ] {
        let mut body = options;
        body["posts"] = rows.clone();
        let path = "/posts/bulk?dry_run=true";
        let result = service.call(method, path, Some(&ada), Some(body)).await;
        let result = result.expect(200).json();
        assert_eq!(
            (counts(&result), &result["dry_run"]),
            (expected, &json!(true))
        );
        assert_eq!(posts(&service, &ada).await, before);
    }
    let result = service.call(
        "POST",
        "/posts/bulk?dry_run=true",
        Some(&ada),
        Some(json!({"posts": new})),
    );
    assert_eq!(result.await.problem(409)["type"], TAKEN);
    let found = service.get("/posts?search=changed", &ada).await.json();
    assert_eq!(found, json!([]));
}

#[apply(behaviour)]
async fn a_token_that_only_creates_updates_nothing(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let creator = token(&service, &ada, &["posts:create"]).await;
    send(&service, &creator, "POST", &rows(2, "Old"), json!({}))
        .await
        .expect(201);
    let before = posts(&service, &ada).await;
    // Also if no post exists: the token would fail only sometimes.
    for first in [0, 2] {
        let rows: Value = rows(4, "New").as_array().unwrap()[first..].into();
        let update = json!({"on_conflict": "update"});
        let refused = send(&service, &creator, "POST", &rows, update).await;
        let refused = refused.problem(403);
        assert_eq!(refused["type"], "/problems/insufficient-scope");
        assert_eq!(refused["detail"], "the token needs the scope posts:update");
    }
    assert_eq!(posts(&service, &ada).await, before);
    let ignore = json!({"on_conflict": "ignore"});
    let result = send(&service, &creator, "POST", &rows(3, "New"), ignore).await;
    assert_eq!(counts(&result.expect(201).json()), [1, 0, 0, 2, 0, 0]);
}
