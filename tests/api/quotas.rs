//! Quotas of posts and of bytes of text.

use acclaim::{
    config::{Origins, Quotas},
    services::quotas,
};
use futures_util::future::join_all;
use migration::Command;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::harness::{
    Fixture, apply, behaviour, column, insert_posts,
    process::Running,
    service::{Service, User},
};

async fn serve(fixture: &Fixture, posts: Option<i64>, bytes: Option<i64>) -> Service {
    fixture.migrate().await;
    let state = fixture.state(&fixture.database()).await;
    let stored = quotas::store(&state.db, Quotas { posts, bytes }).await;
    stored.expect("not stored");
    fixture.start(state, Origins::These(Vec::new()))
}

/// `usage` of `GET /users/me`: posts and bytes.
async fn usage(service: &Service, user: &User) -> (i64, i64) {
    let me = service.get("/users/me", user).await.expect(200).json();
    let number = |name: &str| me["usage"][name].as_i64().expect("no number");
    (number("posts"), number("bytes"))
}

fn post(content: &str) -> Value {
    json!({"title": "t", "content": content})
}

#[apply(behaviour)]
async fn a_user_with_the_maximum_of_posts_must_delete_one_first(fixture: Fixture) {
    let service = serve(&fixture, Some(2), None).await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let first = service.new_post(&ada, "Title").await;
    service.new_draft(&ada, "Draft").await;
    let third = service.post("/posts", &ada, post("c")).await.problem(409);
    assert_eq!(third["type"], "/problems/quota-exceeded");
    let detail = "your account has its quota of 2 posts; delete a post to add another";
    assert_eq!(third["detail"], detail);
    service.new_post(&grace, "Grace's").await;
    // A change adds no post.
    let path = format!("/posts/{first}");
    let longer = Some(json!({"content": "longer words"}));
    service
        .call("PATCH", &path, Some(&ada), longer)
        .await
        .expect(200);
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    service.post("/posts", &ada, post("c")).await.expect(201);

    let me = service.get("/users/me", &ada).await.expect(200).json();
    assert_eq!(me["usage"], json!({"posts": 2, "bytes": 13}));
    assert_eq!(me["quota"], json!({"posts": 2, "bytes": null}));
}

#[apply(behaviour)]
async fn a_post_must_not_grow_beyond_the_maximum_of_bytes(fixture: Fixture) {
    let service = serve(&fixture, None, Some(20)).await;
    let ada = service.user("ada").await;
    // Ten characters of two bytes, and a title of one.
    let refused = service.post("/posts", &ada, post(&"ä".repeat(10))).await;
    let detail =
        "the text of your posts would exceed your quota of 20 bytes; shorten or delete posts";
    assert_eq!(refused.problem(409)["detail"], detail);
    let new = service.post("/posts", &ada, post("0123456789")).await;
    let path = format!("/posts/{}", new.expect(201).json()["id"]);
    let change = async |method: &str, content: &str| {
        let body = Some(post(content));
        service.call(method, &path, Some(&ada), body).await
    };
    let full = "0123456789012345678";
    change("PUT", full).await.expect(200);
    for method in ["PUT", "PATCH"] {
        let refused = change(method, &format!("{full}9")).await.problem(409);
        assert_eq!(refused["type"], "/problems/quota-exceeded");
    }
    assert_eq!(usage(&service, &ada).await, (1, 20));
    let kept = service.get(&path, &ada).await.expect(200).json();
    assert_eq!(
        (&kept["content"], &kept["version"]),
        (&json!(full), &json!(2))
    );

    // A lower quota refuses growth, and nothing else.
    let connection = fixture.connect().await;
    let lower = "UPDATE quotas SET maximum = 5";
    connection.execute_unprepared(lower).await.expect(lower);
    change("PUT", &full[1..]).await.expect(200);
    change("PATCH", &full[1..]).await.expect(200);
    change("PATCH", full).await.problem(409);
    let publish = Some(json!({"published": false, "tags": ["a"]}));
    service
        .call("PATCH", &path, Some(&ada), publish)
        .await
        .expect(200);
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    assert_eq!(usage(&service, &ada).await, (0, 0));
}

/// Simultaneous new posts share a statement.
#[apply(behaviour)]
async fn a_full_account_does_not_fail_the_posts_of_others(fixture: Fixture) {
    let service = serve(&fixture, Some(10), Some(1_000)).await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    for _ in 0..10 {
        service.post("/posts", &ada, post("c")).await.expect(201);
    }
    let posts = (0..40).map(async |number| {
        let user = if number % 4 == 0 { &grace } else { &ada };
        (number, service.post("/posts", user, post("c")).await)
    });
    for (number, answer) in join_all(posts).await {
        answer.expect(if number % 4 == 0 { 201 } else { 409 });
    }
    assert_eq!(usage(&service, &ada).await, (10, 20));
    assert_eq!(usage(&service, &grace).await, (10, 20));
}

#[apply(behaviour)]
async fn the_usage_counts_every_way_to_change_posts(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    assert_eq!(usage(&service, &ada).await, (0, 0));
    let connection = fixture.connect().await;
    for user in [&ada, &grace] {
        insert_posts(&connection, user.id, 30, "ä").await;
    }
    // `Title` has five bytes.
    assert_eq!(usage(&service, &ada).await, (30, 210));
    for sql in [
        "DELETE FROM posts WHERE id <= 5 OR id > 55",
        "UPDATE posts SET content = 'longer' WHERE id % 2 = 0",
        "UPDATE posts SET title = 't', content = 'c' WHERE id < 10",
    ] {
        connection.execute_unprepared(sql).await.expect(sql);
    }
    for user in [&ada, &grace] {
        let counted = format!(
            "SELECT CAST(count(*) AS text) || ' ' || sum(length(CAST(title AS {blob}))
             + length(CAST(content AS {blob}))) FROM posts WHERE owner_id = {}",
            user.id,
            blob = if fixture.is_postgres() {
                "bytea"
            } else {
                "blob"
            },
        );
        let (posts, bytes) = usage(&service, user).await;
        assert_eq!(
            column(&connection, &counted).await,
            [format!("{posts} {bytes}")]
        );
    }
    // The usage of existing posts is counted by the migration.
    let before = usage(&service, &ada).await;
    let versions = "SELECT version FROM seaql_migrations ORDER BY version DESC";
    let versions = column(&connection, versions).await;
    let later = versions
        .iter()
        .position(|name| name.ends_with("add_quotas"));
    let steps = u32::try_from(later.expect("no migration") + 1).expect("too many");
    for command in [Command::Down { steps }, Command::Up { steps: None }] {
        let ran = migration::run(&fixture.database(), &command).await;
        ran.expect("the migration failed");
    }
    assert_eq!(usage(&service, &ada).await, before);
    let delete = format!("DELETE FROM users WHERE id = {}", ada.id);
    connection.execute_unprepared(&delete).await.expect(&delete);
    let users = column(&connection, "SELECT DISTINCT user_id FROM usage").await;
    assert_eq!(users, [grace.id.to_string()]);
}

#[apply(behaviour)]
async fn the_settings_become_the_quotas_at_the_start(fixture: Fixture) {
    for (posts, bytes) in [("7", "0"), ("0", "2000"), ("100000", "1073741824")] {
        let settings = [
            ("DATABASE_URL", fixture.url.as_str()),
            ("AUTO_MIGRATE", "true"),
            ("QUOTA_POSTS", posts),
            ("QUOTA_BYTES", bytes),
        ];
        let running = Running::start(fixture.folder(), &settings).await;
        let name = format!("user{posts}");
        let user = running.service.user(&name).await;
        let me = running.service.get("/users/me", &user).await.json();
        let quota = |text: &str| match text {
            "0" => Value::Null,
            number => serde_json::from_str(number).expect("not a number"),
        };
        assert_eq!(
            me["quota"],
            json!({"posts": quota(posts), "bytes": quota(bytes)})
        );
        running.signal("TERM");
        running.end().await;
    }
}
