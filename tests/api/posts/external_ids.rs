//! External ids of posts.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    Fixture, apply, behaviour, column,
    service::{Answer, Service, User},
};

const TAKEN: &str = "/problems/external-id-taken";

fn post(external_id: &str) -> Value {
    json!({"title": "Title", "content": "Words.", "external_id": external_id})
}

async fn put(service: &Service, user: &User, external_id: &str, title: &str) -> Answer {
    let path = format!("/posts/by-external-id/{external_id}");
    let body = json!({"title": title, "content": "Words."});
    service.call("PUT", &path, Some(user), Some(body)).await
}

/// A personal access token of `user` with `scopes`.
pub async fn token(service: &Service, user: &User, scopes: &[&str]) -> User {
    let new = json!({"name": "Script", "scopes": scopes});
    let token = service.post("/tokens", user, new).await.expect(201).json();
    let token = token["token"].as_str().unwrap().to_owned();
    User {
        token,
        ..user.clone()
    }
}

#[apply(behaviour)]
async fn an_external_id_is_unique_among_the_posts_of_its_owner(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let first = service.post("/posts", &ada, post("a/1 ä")).await;
    let first = first.expect(201).json();
    assert_eq!(first["external_id"], "a/1 ä");
    let refused = service.post("/posts", &ada, post("a/1 ä")).await;
    let refused = refused.problem(409);
    assert_eq!(refused["type"], TAKEN);
    let detail = format!("your post {} has this external_id", first["id"]);
    assert_eq!(refused["detail"], detail);
    assert_eq!(refused["errors"][0]["field"], "external_id");
    for (user, id) in [(&ada, "A/1 ä"), (&grace, "a/1 ä")] {
        service.post("/posts", user, post(id)).await.expect(201);
    }

    let path = format!("/posts/{}", service.new_post(&ada, "Other").await);
    let send = async |body: Value| service.call("PATCH", &path, Some(&ada), Some(body)).await;
    let refused = send(json!({"external_id": "a/1 ä"})).await.problem(409);
    assert_eq!(
        (&refused["type"], &refused["detail"]),
        (&json!(TAKEN), &json!(detail))
    );
    let changed = send(json!({"external_id": "b"})).await.expect(200);
    assert_eq!(changed.json()["external_id"], "b");
    let changed = send(json!({"title": "New"})).await.expect(200).json();
    assert_eq!(
        (&changed["external_id"], &changed["version"]),
        (&json!("b"), &json!(3))
    );
    let removed = send(json!({"external_id": null})).await.expect(200);
    assert_eq!(removed.json()["external_id"], Value::Null);
    // It can be used again, and PUT without it removes it.
    service.post("/posts", &ada, post("b")).await.expect(201);
    let own = format!("/posts/{}", first["id"]);
    let body = json!({"title": "Title", "content": "Words."});
    let replaced = service.call("PUT", &own, Some(&ada), Some(body)).await;
    assert_eq!(replaced.expect(200).json()["external_id"], Value::Null);
    // Another user's post is not compared with one's own.
    let taken = Some(json!({"external_id": "a/1 ä"}));
    let foreign = service.call("PATCH", &own, Some(&grace), taken).await;
    assert_eq!(foreign.problem(403)["type"], "/problems/not-owner");
    for (id, code) in [
        (json!(""), "length"),
        (json!("x".repeat(129)), "length"),
        (json!("\u{0}"), "nul"),
        (json!(1), "type"),
    ] {
        let mut body = post("");
        body["external_id"] = id;
        let refused = service.post("/posts", &ada, body).await;
        let errors = refused.field_errors();
        assert!(
            errors.contains(&format!("external_id {code}")),
            "{errors:?}"
        );
    }
}

#[apply(behaviour)]
async fn only_the_owner_sees_an_external_id(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let id = service.post("/posts", &ada, post("key")).await.expect(201);
    let path = format!("/posts/{}", id.json()["id"]);
    for (user, shown) in [(&ada, json!("key")), (&grace, Value::Null)] {
        let post = service.get(&path, user).await.expect(200).json();
        assert_eq!(post["external_id"], shown);
        for list in ["/posts", "/posts?sort=top", "/posts?search=words"] {
            let posts = service.get(list, user).await.expect(200).json();
            assert_eq!(posts[0]["external_id"], shown, "{list}");
        }
    }
    let export = service.get("/users/me/export", &ada).await.json();
    assert_eq!(export["posts"][0]["external_id"], "key");
}

#[apply(behaviour)]
async fn put_by_external_id_creates_and_then_replaces(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let first = put(&service, &ada, "a%2F1%25%20%C3%A4", "First")
        .await
        .expect(201);
    let location = first.header("location").unwrap().to_owned();
    let first = first.json();
    assert_eq!(first["external_id"], "a/1% ä");
    assert_eq!(service.get(&location, &ada).await.json(), first);
    let second = put(&service, &ada, "a%2F1%25%20%C3%A4", "Second").await;
    assert_eq!(second.header("location"), None);
    let second = second.expect(200).json();
    assert_eq!(
        (&second["id"], &second["version"]),
        (&first["id"], &json!(2))
    );
    assert_eq!(
        (&second["title"], &second["external_id"]),
        (&json!("Second"), &first["external_id"])
    );
    let other = put(&service, &grace, "a%2F1%25%20%C3%A4", "Other")
        .await
        .expect(201);
    assert_ne!(other.json()["id"], first["id"]);
    // A name of another route.
    put(&service, &ada, "vote", "Vote").await.expect(201);

    let path = "/posts/by-external-id/b";
    let call = async |body: Value| service.call("PUT", path, Some(&ada), Some(body)).await;
    call(post("b")).await.expect(201);
    assert_eq!(
        call(post("c")).await.field_errors(),
        ["external_id mismatch"]
    );
    assert_eq!(
        call(json!({"title": "t"})).await.field_errors(),
        ["content required"]
    );
    for (id, code) in [("%FF", "format"), (&*"x".repeat(129), "length")] {
        let refused = put(&service, &ada, id, "Title").await;
        assert_eq!(refused.field_errors(), [format!("external_id {code}")]);
    }
}

#[apply(behaviour)]
async fn a_token_that_only_creates_replaces_nothing(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let creator = token(&service, &ada, &["posts:create"]).await;
    let both = token(&service, &ada, &["posts:create", "posts:update"]).await;
    put(&service, &creator, "a", "First").await.expect(201);
    let refused = put(&service, &creator, "a", "Second").await.problem(403);
    assert_eq!(refused["type"], "/problems/insufficient-scope");
    assert_eq!(refused["detail"], "the token needs the scope posts:update");
    // It may try to create, though.
    let request = service.request("PUT", "/posts/by-external-id/a");
    let request = request.bearer_auth(&creator.token).json(&post("a"));
    let request = request.header("if-none-match", "*");
    let exists = Answer::of(request.send().await.unwrap()).await.problem(412);
    assert_eq!(exists["current_version"], 1);
    let replaced = put(&service, &both, "a", "Third").await.expect(200).json();
    assert_eq!(
        (&replaced["title"], &replaced["version"]),
        (&json!("Third"), &json!(2))
    );
}

#[apply(behaviour)]
async fn concurrent_posts_with_the_same_external_ids_make_one_each(fixture: Fixture) {
    let first = fixture.serve().await;
    let second = fixture.serve().await;
    let ada = first.user("ada").await;
    let services = [&first, &second];
    let calls = (0..80_usize).map(|number| {
        let (service, ada) = (services[number / 2 % 2], &ada);
        let id = (number / 4 % 10).to_string();
        async move {
            if number % 2 == 0 {
                service.post("/posts", ada, post(&id)).await
            } else {
                put(service, ada, &id, "Title").await
            }
        }
    });
    let answers = join_all(calls).await;
    let with = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!(with(201), 10);
    assert_eq!(with(201) + with(200) + with(409), 80);
    let connection = fixture.connect().await;
    let count = "SELECT count(DISTINCT external_id) FROM posts";
    assert_eq!(column(&connection, count).await, ["10"]);
    // A taken id does not fail other posts of its batch.
    let others = (0..40).map(|number| {
        let id = if number % 2 == 0 {
            "0".to_owned()
        } else {
            format!("new {number}")
        };
        let (first, ada) = (&first, &ada);
        async move { first.post("/posts", ada, post(&id)).await.status }
    });
    let statuses = join_all(others).await;
    for (number, status) in statuses.into_iter().enumerate() {
        assert_eq!(status, if number % 2 == 0 { 409 } else { 201 }, "{number}");
    }
}
