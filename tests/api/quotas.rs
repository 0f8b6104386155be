//! Quotas of posts and of bytes of text.

use std::time::{Duration, Instant};

use acclaim::{
    config::{Origins, QuotaSettings},
    services::quotas::Quotas,
};
use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::harness::{
    Fixture, apply, behaviour, insert_posts,
    process::Running,
    service::{Answer, Service, User},
};

/// Another server on the same database.
async fn serve(fixture: &Fixture, posts: Option<u64>, bytes: Option<u64>) -> Service {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.quotas = Quotas::new(QuotaSettings { posts, bytes });
    fixture.start(state, Origins::These(Vec::new()))
}

/// Waits until `GET /users/me` has this usage: if a count was slow, it is an estimate for up to a minute.
async fn wait_for_usage(service: &Service, user: &User, posts: u64, bytes: u64) {
    let expected = json!({"posts": posts, "bytes": bytes});
    let deadline = Instant::now() + Duration::from_mins(3);
    loop {
        let me = service.get("/users/me", user).await.expect(200).json();
        if me["usage"] == expected {
            return;
        }
        assert!(Instant::now() < deadline, "still {}", me["usage"]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn post(content: &str) -> Value {
    json!({"title": "t", "content": content})
}

async fn publish(service: &Service, user: &User, content: &str) -> Answer {
    service.post("/posts", user, post(content)).await
}

async fn delete(service: &Service, user: &User, path: &str) {
    let deleted = service.call("DELETE", path, Some(user), None).await;
    deleted.expect(204);
}

#[apply(behaviour)]
async fn a_user_with_the_maximum_of_posts_must_delete_one_first(fixture: Fixture) {
    let service = serve(&fixture, Some(2), None).await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let first = service.new_post(&ada, "Title").await;
    service.new_draft(&ada, "Draft").await;
    let third = publish(&service, &ada, "c").await.problem(409);
    assert_eq!(third["type"], "/problems/quota-exceeded");
    let detail = "you have 2 posts, and the quota is 2; delete a post to add another";
    assert_eq!(third["detail"], detail);
    service.new_post(&grace, "Grace's").await;
    // A change adds no post.
    let path = format!("/posts/{first}");
    let longer = Some(json!({"content": "longer words"}));
    let changed = service.call("PATCH", &path, Some(&ada), longer).await;
    changed.expect(200);
    delete(&service, &ada, &path).await;
    wait_for_usage(&service, &ada, 1, 11).await;
    publish(&service, &ada, "c").await.expect(201);
    publish(&service, &ada, "c").await.problem(409);

    wait_for_usage(&service, &ada, 2, 13).await;
    let me = service.get("/users/me", &ada).await.json();
    assert_eq!(me["quota"], json!({"posts": 2, "bytes": null}));
}

#[apply(behaviour)]
async fn a_post_must_not_grow_beyond_the_maximum_of_bytes(fixture: Fixture) {
    let service = serve(&fixture, None, Some(20)).await;
    let ada = service.user("ada").await;
    // Ten characters of two bytes, and a title of one.
    let refused = publish(&service, &ada, &"ä".repeat(10)).await.problem(409);
    let detail = "your posts and stored responses have 0 bytes of text, and would exceed the quota of 20; shorten or delete posts";
    assert_eq!(refused["detail"], detail);
    let new = publish(&service, &ada, "0123456789").await.expect(201);
    let path = format!("/posts/{}", new.json()["id"]);
    let change = async |service: &Service, method: &str, content: &str| {
        let body = Some(post(content));
        service.call(method, &path, Some(&ada), body).await
    };
    let full = "0123456789012345678";
    change(&service, "PUT", full).await.expect(200);
    for method in ["PUT", "PATCH"] {
        let refused = change(&service, method, &format!("{full}9")).await;
        assert_eq!(refused.problem(409)["type"], "/problems/quota-exceeded");
    }
    wait_for_usage(&service, &ada, 1, 20).await;
    let kept = service.get(&path, &ada).await.expect(200).json();
    let kept = (&kept["content"], &kept["version"]);
    assert_eq!(kept, (&json!(full), &json!(2)));

    // A lower quota refuses growth, and nothing else.
    let service = serve(&fixture, Some(1), Some(5)).await;
    change(&service, "PUT", full).await.expect(200);
    change(&service, "PATCH", &full[1..]).await.expect(200);
    change(&service, "PATCH", full).await.problem(409);
    let hide = Some(json!({"published": false, "tags": ["a"]}));
    let hidden = service.call("PATCH", &path, Some(&ada), hide).await;
    hidden.expect(200);
    wait_for_usage(&service, &ada, 1, 19).await;
    delete(&service, &ada, &path).await;
    wait_for_usage(&service, &ada, 0, 0).await;
}

#[apply(behaviour)]
async fn metadata_counts_towards_the_maximum_of_bytes(fixture: Fixture) {
    let service = serve(&fixture, None, Some(20)).await;
    let ada = service.user("ada").await;
    let with = |metadata: &str| json!({"title": "t", "content": "c", "metadata": {"a": metadata}});
    let refused = service.post("/posts", &ada, with("0123456789ab")).await;
    assert_eq!(refused.problem(409)["type"], "/problems/quota-exceeded");
    // `{"a":""}` has 8 bytes.
    let new = service.post("/posts", &ada, with("0123456789")).await;
    let path = format!("/posts/{}", new.expect(201).json()["id"]);
    wait_for_usage(&service, &ada, 1, 20).await;
    let longer = Some(with("0123456789a"));
    let refused = service.call("PUT", &path, Some(&ada), longer).await;
    refused.problem(409);
    let external = "/posts/by-external-id/a";
    let other = service
        .call("PUT", external, Some(&ada), Some(with("")))
        .await;
    other.problem(409);
    let removed = Some(json!({"metadata": null}));
    let removed = service.call("PATCH", &path, Some(&ada), removed).await;
    removed.expect(200);
    wait_for_usage(&service, &ada, 1, 2).await;
}

#[apply(behaviour)]
async fn a_quota_does_not_hide_another_error(fixture: Fixture) {
    let service = serve(&fixture, None, Some(20)).await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let other = service.new_post(&grace, "Grace's").await;
    let path = format!("/posts/{other}");
    for (path, status) in [(path.as_str(), 403), ("/posts/42", 404)] {
        let body = Some(post(&"c".repeat(30)));
        let answer = service.call("PUT", path, Some(&ada), body).await;
        answer.problem(status);
    }
    publish(&service, &ada, &"c".repeat(19)).await.expect(201);
}

/// Simultaneous new posts share a statement.
#[apply(behaviour)]
async fn simultaneous_posts_fill_a_quota_and_do_not_exceed_it(fixture: Fixture) {
    let service = serve(&fixture, Some(10), Some(1_000)).await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let posts = (0..40).map(async |number| {
        let is_ada = number % 4 != 0;
        let user = if is_ada { &ada } else { &grace };
        (is_ada, publish(&service, user, "c").await.status)
    });
    let statuses = join_all(posts).await;
    let count = |is_ada, status| {
        let of_user = statuses
            .iter()
            .filter(|answer| **answer == (is_ada, status));
        of_user.count()
    };
    assert_eq!((count(true, 201), count(true, 409)), (10, 20));
    assert_eq!((count(false, 201), count(false, 409)), (10, 0));
    wait_for_usage(&service, &ada, 10, 20).await;
    wait_for_usage(&service, &grace, 10, 20).await;
}

#[apply(behaviour)]
async fn the_posts_of_other_servers_are_counted_near_a_quota(fixture: Fixture) {
    let services = [
        serve(&fixture, Some(4), None).await,
        serve(&fixture, Some(4), None).await,
    ];
    let ada = services[0].user("ada").await;
    publish(&services[0], &ada, "c").await.expect(201);
    for _ in 0..3 {
        publish(&services[1], &ada, "c").await.expect(201);
    }
    publish(&services[1], &ada, "c").await.problem(409);
    wait_for_usage(&services[0], &ada, 4, 8).await;
    publish(&services[0], &ada, "c").await.problem(409);
}

/// Rows that another program inserts show whether a write counts.
#[apply(behaviour)]
async fn a_write_far_from_a_quota_counts_nothing(fixture: Fixture) {
    let service = serve(&fixture, Some(1_000), None).await;
    let ada = service.user("ada").await;
    publish(&service, &ada, "c").await.expect(201);
    let connection = fixture.connect().await;
    insert_posts(&connection, ada.id, 999, "ä").await;
    publish(&service, &ada, "c").await.expect(201);
    // `Title` has five bytes.
    wait_for_usage(&service, &ada, 1_001, 2 * 2 + 999 * 7).await;
    publish(&service, &ada, "c").await.problem(409);
    let sql = "DELETE FROM posts WHERE title = 'Title'";
    connection.execute_unprepared(sql).await.expect(sql);
    wait_for_usage(&service, &ada, 2, 4).await;
    publish(&service, &ada, "c").await.expect(201);
}

/// Rows that another program inserts show that the last post needs no count: the quota would refuse it.
#[apply(behaviour)]
async fn a_write_that_fails_takes_nothing_of_a_quota(fixture: Fixture) {
    let service = serve(&fixture, None, Some(1_000)).await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let other = service.new_post(&grace, "Grace's").await;
    let body = Some(post(&"c".repeat(999)));
    let path = format!("/posts/{other}");
    let refused = service.call("PUT", &path, Some(&ada), body).await;
    refused.problem(403);
    let connection = fixture.connect().await;
    insert_posts(&connection, ada.id, 200, "ä").await;
    publish(&service, &ada, "c").await.expect(201);
    wait_for_usage(&service, &ada, 201, 200 * 7 + 2).await;
    publish(&service, &ada, "c").await.problem(409);
}

#[apply(behaviour)]
async fn quotas_are_settings(fixture: Fixture) {
    for (posts, bytes) in [("7", "0"), ("0", "2000")] {
        let settings = [
            ("DATABASE_URL", fixture.owner_url.as_str()),
            ("AUTO_MIGRATE", "true"),
            ("QUOTA_POSTS", posts),
            ("QUOTA_BYTES", bytes),
        ];
        let running = Running::start(fixture.folder(), &settings).await;
        let user = running.service.user(&format!("user{posts}")).await;
        let me = running.service.get("/users/me", &user).await.json();
        let quota = |text: &str| match text {
            "0" => Value::Null,
            number => serde_json::from_str(number).expect("not a number"),
        };
        let expected = json!({"posts": quota(posts), "bytes": quota(bytes)});
        assert_eq!(me["quota"], expected);
        running.signal("TERM");
        running.end().await;
    }
}
