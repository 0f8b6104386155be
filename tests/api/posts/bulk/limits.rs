//! Bounds of bulk writes.

use std::time::{Duration, Instant};

use acclaim::{
    config::{Config, Origins, QuotaSettings},
    http::Limits,
    services::quotas::Quotas,
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{counts, rows, send};
use crate::harness::{
    Fixture, apply, behaviour,
    service::{Service, User},
};

#[apply(behaviour)]
async fn a_request_has_1_to_1000_rows(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for method in ["POST", "PATCH", "DELETE"] {
        for count in [0, 1_001] {
            let row = json!({"id": 1, "title": "t", "content": "c"});
            let rows: Value = std::iter::repeat_n(row, count).collect();
            let refused = send(&service, &ada, method, &rows, json!({})).await;
            assert_eq!(refused.field_errors(), ["posts length"]);
        }
    }
    let options = json!({"atomic": 1, "on_conflict": "x"});
    let refused = send(&service, &ada, "POST", &json!("x"), options).await;
    assert_eq!(
        refused.field_errors(),
        ["atomic type", "on_conflict unknown_value", "posts type"]
    );
}

/// A server with the limit of writes `writes`, or the default.
async fn serve(fixture: &Fixture, writes: Option<&str>) -> Service {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    let settings = |name: &str| match name {
        "RATE_LIMIT_WRITES" => writes.map(str::to_owned),
        _ => None,
    };
    let config = Config::from_lookup(settings).expect("invalid settings");
    state.limits = Limits::new(&config.limits);
    fixture.start(state, Origins::These(Vec::new()))
}

#[apply(behaviour)]
async fn rows_count_as_writes(fixture: Fixture) {
    let service = serve(&fixture, Some("5/hour")).await;
    let key = |number: u32| json!({"id": number + 1});
    let keys = |count| (0..count).map(key).collect::<Value>();
    for (user, method, path) in [
        ("ada", "POST", "/posts/bulk"),
        ("bob", "POST", "/posts/bulk?dry_run=true"),
        ("eve", "PATCH", "/posts/bulk"),
        ("dan", "PATCH", "/posts/bulk?dry_run=true"),
        ("kim", "DELETE", "/posts/bulk"),
        ("joe", "DELETE", "/posts/bulk?dry_run=true"),
    ] {
        let user = service.user(user).await;
        let call = async |count: usize| {
            let rows = match method {
                "POST" => rows(count, "Post"),
                _ => keys(count.try_into().unwrap()),
            };
            let body = json!({"posts": rows, "atomic": false});
            service.call(method, path, Some(&user), Some(body)).await
        };
        let refused = call(6).await;
        assert_eq!(refused.field_errors(), ["posts length"]);
        let detail =
            "posts must be at most 5 rows: the limit of writes does not allow more at once";
        assert_eq!(refused.json()["detail"], detail);
        // The refused request was one.
        let answer = call(3).await;
        assert!(answer.status < 300, "{answer:?}");
        let remaining = answer.header("ratelimit").unwrap();
        assert!(remaining.starts_with("\"writes\";r=1;"), "{remaining}");
        // The request itself is one, so two rows are too many.
        let refused = call(2).await;
        refused.problem(429);
        // Both rows are allowed then. An hour has five, so one would be allowed after 720 s.
        let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((721..=1_440).contains(&wait), "{wait}");
        service.post("/posts", &user, json!({})).await.problem(429);
    }
}

#[apply(behaviour)]
async fn the_default_limit_allows_1000_rows(fixture: Fixture) {
    let service = serve(&fixture, None).await;
    let ada = service.user("ada").await;
    send(&service, &ada, "POST", &rows(1_000, "Post"), json!({}))
        .await
        .expect(201);
}

/// A reservation that is kept would make the service count the posts again.
#[apply(behaviour)]
async fn a_write_that_changes_nothing_releases_its_quota(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.quotas = Quotas::new(QuotaSettings {
        posts: Some(100),
        bytes: Some(100_000),
    });
    let service = fixture.start(state, Origins::These(Vec::new()));
    let ada = service.user("ada").await;
    send(&service, &ada, "POST", &rows(1, "Post"), json!({}))
        .await
        .expect(201);
    // Now the posts cannot be counted.
    let rename = "ALTER TABLE idempotency_keys RENAME TO renamed";
    let connection = fixture.connect().await;
    connection.execute_unprepared(rename).await.expect(rename);
    let longer = "x".repeat(10_000);
    for _ in 0..12 {
        send(&service, &ada, "POST", &rows(10, "Post"), json!({}))
            .await
            .problem(409);
        let body = json!({"on_conflict": "update", "posts": rows(10, "Post")});
        let path = "/posts/bulk?dry_run=true";
        let dry_run = service.call("POST", path, Some(&ada), Some(body));
        dry_run.await.expect(200);
        let changes = json!([{"external_id": "key 0", "content": longer}, {"id": 99}]);
        send(&service, &ada, "PATCH", &changes, json!({}))
            .await
            .problem(404);
    }
    let rename = "ALTER TABLE renamed RENAME TO idempotency_keys";
    connection.execute_unprepared(rename).await.expect(rename);
}

/// Waits until `GET /users/me` has this usage: if a count was slow, it is an estimate for up to a minute.
async fn wait_for_usage(service: &Service, user: &User, posts: u64) {
    let deadline = Instant::now() + Duration::from_mins(3);
    loop {
        let me = service.get("/users/me", user).await.expect(200).json();
        if me["usage"]["posts"] == posts {
            return;
        }
        assert!(Instant::now() < deadline, "still {}", me["usage"]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[apply(behaviour)]
async fn quotas_apply_to_all_rows_together(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.quotas = Quotas::new(QuotaSettings {
        posts: Some(5),
        bytes: None,
    });
    let service = fixture.start(state, Origins::These(Vec::new()));
    let ada = service.user("ada").await;
    let update = || json!({"on_conflict": "update"});
    let refused = send(&service, &ada, "POST", &rows(6, "Post"), update()).await;
    assert_eq!(refused.problem(409)["type"], "/problems/quota-exceeded");
    send(&service, &ada, "POST", &rows(4, "Post"), update())
        .await
        .expect(201);
    // Neither a dry run nor a failed request uses the quota.
    for _ in 0..3 {
        let body = json!({"posts": [{"title": "t", "content": "c"}]});
        let path = "/posts/bulk?dry_run=true";
        service
            .call("POST", path, Some(&ada), Some(body))
            .await
            .expect(200);
        send(&service, &ada, "POST", &rows(5, "Post"), json!({}))
            .await
            .problem(409);
    }
    let result = send(&service, &ada, "POST", &rows(5, "New"), update()).await;
    assert_eq!(counts(&result.expect(201).json()), [1, 4, 0, 0, 0, 0]);
    let refused = send(&service, &ada, "POST", &rows(6, "New"), update()).await;
    refused.problem(409);
    wait_for_usage(&service, &ada, 5).await;
    // Changes need no room.
    send(&service, &ada, "POST", &rows(5, "Newest"), update())
        .await
        .expect(200);
}
