//! Bounds of bulk writes.

use std::time::{Duration, Instant};

use acclaim::{
    config::{Origins, QuotaSettings},
    services::quotas::Quotas,
};
use serde_json::{Value, json};

use super::{counts, rows, send};
use crate::harness::{
    Fixture, apply, behaviour, limits,
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

#[apply(behaviour)]
async fn rows_count_as_writes(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.limits = limits(&[("RATE_LIMIT_WRITES", "5/hour")]);
    let service = fixture.start(state, Origins::These(Vec::new()));
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let refused = send(&service, &ada, "POST", &rows(6, "Post"), json!({})).await;
    assert_eq!(refused.field_errors(), ["posts length"]);
    let detail = "posts must be at most 5 rows: the limit of writes does not allow more at once";
    assert_eq!(refused.json()["detail"], detail);
    let answer = send(&service, &grace, "POST", &rows(4, "Post"), json!({})).await;
    let answer = answer.expect(201);
    let remaining = answer.header("ratelimit").unwrap();
    assert!(remaining.starts_with("\"writes\";r=1;"), "{remaining}");
    // The request itself is one, so two rows are too many.
    let refused = send(&service, &grace, "POST", &rows(2, "Post"), json!({})).await;
    refused.problem(429);
    service.post("/posts", &grace, json!({})).await.problem(429);
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
