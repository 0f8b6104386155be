//! Creating, changing and deleting posts.

use serde_json::{Value, json};

use crate::harness::{Fixture, apply, behaviour};

#[apply(behaviour)]
async fn creating_a_post_returns_it(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let body = json!({"title": "Title", "content": "Content"});
    let answer = service.post("/posts", &ada, body).await.expect(201);
    let post = answer.json();
    let path = format!("/posts/{}", post["id"]);
    assert_eq!(answer.header("location"), Some(path.as_str()));
    let expected = json!({
        "id": post["id"], "title": "Title", "content": "Content", "published": true,
        "tags": [], "external_id": null, "metadata": null, "version": 1, "created_at": post["created_at"], "updated_at": post["created_at"],
        "owner_id": ada.id, "owner": {"id": ada.id, "username": "ada"},
        "votes": 0, "voted": false,
    });
    assert_eq!(post, expected);
    assert!(post["created_at"].as_str().unwrap().ends_with('Z'));
}

#[apply(behaviour)]
async fn put_replaces_every_field(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_draft(&ada, "Draft").await;
    let path = format!("/posts/{id}");
    let before = service.get(&path, &ada).await.json();
    let body = json!({"title": "New", "content": "Newer"});
    let after = service
        .call("PUT", &path, Some(&ada), Some(body))
        .await
        .expect(200)
        .json();
    assert_eq!(after["title"], "New");
    assert_eq!(after["content"], "Newer");
    assert_eq!(after["published"], true);
    assert_eq!(after["created_at"], before["created_at"]);
    assert_ne!(after["updated_at"], before["updated_at"]);
    assert_eq!(service.get(&path, &ada).await.json(), after);
    let partial = service
        .call("PUT", &path, Some(&ada), Some(json!({"title": "x"})))
        .await;
    assert_eq!(partial.field_errors(), ["content required"]);
}

#[apply(behaviour)]
async fn patch_changes_only_the_given_fields(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let path = format!("/posts/{}", service.new_post(&ada, "Title").await);
    let send = async |body: Value| service.call("PATCH", &path, Some(&ada), Some(body)).await;
    let before = service.get(&path, &ada).await.json();
    assert_eq!(send(json!({})).await.expect(200).json(), before);
    assert_eq!(send(json!({"unknown": 1})).await.expect(200).json(), before);
    let after = send(json!({"published": false})).await.expect(200).json();
    assert_eq!(
        (&after["title"], &after["published"]),
        (&before["title"], &json!(false))
    );
    let after = send(json!({"title": "Other"})).await.expect(200).json();
    assert_eq!(
        (&after["title"], &after["published"]),
        (&json!("Other"), &json!(false))
    );
    assert_eq!(
        send(json!({"title": null})).await.field_errors(),
        ["title type"]
    );
    let merge = service.request("PATCH", &path).bearer_auth(&ada.token);
    let merge = merge.header("content-type", "application/merge-patch+json");
    let merge = merge.body(r#"{"content": "Merged"}"#).send().await.unwrap();
    assert_eq!(merge.json::<Value>().await.unwrap()["content"], "Merged");
}

#[apply(behaviour)]
async fn a_deleted_post_is_not_found(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let path = format!("/posts/{}", service.new_post(&ada, "Title").await);
    let answer = service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    assert_eq!(answer.text, "");
    service.get(&path, &ada).await.problem(404);
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .problem(404);
}

#[apply(behaviour)]
async fn only_the_owner_may_change_a_post(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let path = format!("/posts/{}", service.new_post(&ada, "Ada's").await);
    let before = service.get(&path, &ada).await.json();
    let body = json!({"title": "Bob's", "content": "Bob's"});
    for (method, body) in [
        ("PUT", Some(body.clone())),
        ("PATCH", Some(body)),
        ("PATCH", Some(json!({}))),
        ("DELETE", None),
    ] {
        service
            .call(method, &path, Some(&bob), body)
            .await
            .problem(403);
    }
    assert_eq!(service.get(&path, &ada).await.json(), before);
}

#[apply(behaviour)]
async fn every_invalid_field_of_a_post_is_reported(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for (body, errors) in [
        (json!({}), vec!["content required", "title required"]),
        (
            json!({"title": 1, "published": "x"}),
            vec!["content required", "published type", "title type"],
        ),
        (
            json!({"title": " \u{3000}\n", "content": ""}),
            vec!["content length", "title blank"],
        ),
        (
            json!({"title": "\u{200b}", "content": "\u{feff} \u{e0020}\u{ad}"}),
            vec!["content blank", "title blank"],
        ),
        (
            json!({"title": "a\u{0}", "content": "\u{0}"}),
            vec!["content nul", "title nul"],
        ),
        (
            json!({"title": "t", "content": "c", "published": null}),
            vec!["published type"],
        ),
        (json!("text"), vec![" type"]),
    ] {
        assert_eq!(
            service.post("/posts", &ada, body).await.field_errors(),
            errors
        );
    }
}

#[apply(behaviour)]
async fn length_limits_of_a_post_are_enforced(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let body = json!({"title": "🦀".repeat(300), "content": "é".repeat(40_000)});
    let written = service
        .post("/posts", &ada, body.clone())
        .await
        .expect(201)
        .json();
    assert_eq!(
        (&written["title"], &written["content"]),
        (&body["title"], &body["content"])
    );
    let body = json!({"title": "x".repeat(301), "content": "x".repeat(40_001)});
    let answer = service.post("/posts", &ada, body).await;
    assert_eq!(answer.field_errors(), ["content length", "title length"]);
}

#[apply(behaviour)]
async fn invalid_input_writes_nothing(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Kept").await;
    let before = service.get("/posts", &ada).await.json();
    for (method, path, body) in [
        ("POST", "/posts".to_owned(), json!({"title": "t"})),
        (
            "PUT",
            format!("/posts/{id}"),
            json!({"title": "t", "content": " "}),
        ),
        (
            "PATCH",
            format!("/posts/{id}"),
            json!({"title": "t", "content": "\u{0}"}),
        ),
        ("POST", "/vote".to_owned(), json!({"post_id": id, "dir": 2})),
    ] {
        service
            .call(method, &path, Some(&ada), Some(body))
            .await
            .problem(422);
    }
    assert_eq!(service.get("/posts", &ada).await.json(), before);
}
