//! The stored answers: for how long, how many, and whose.

use acclaim::{
    config::{Origins, QuotaSettings},
    db::Db,
    services::{idempotency::delete_expired, quotas::Quotas},
};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{assert_first, assert_problem, assert_replayed, new_post, post};
use crate::harness::{
    Fixture, apply, behaviour, column, insert_numbered,
    service::{PASSWORD, User},
    wait_for,
};

fn hours_ago(hours: i64) -> String {
    let moment = OffsetDateTime::now_utc() - Duration::hours(hours);
    moment.format(&Rfc3339).unwrap()
}

/// Makes the stored answers `hours` old.
async fn age(connection: &DatabaseConnection, hours: i64) {
    let moment = hours_ago(hours);
    let update = format!("UPDATE idempotency_keys SET created_at = '{moment}'");
    connection.execute_unprepared(&update).await.expect(&update);
}

/// Inserts `count` answers of `user`, `hours` old.
async fn insert_answers(connection: &DatabaseConnection, user: &User, count: u32, hours: i64) {
    let columns = "idempotency_keys
        (caller, key, request_hash, status, headers, body, created_at)";
    let (id, moment) = (user.id, hours_ago(hours));
    let body = "x".repeat(10_000);
    // Three sizes of body, and none.
    let row = format!(
        "{id}, '{hours}-' || n, '', 201, '',
         CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'x' ELSE '{body}' END, created_at
         FROM numbers, users WHERE id = {id}"
    );
    insert_numbered(connection, count, columns, &row).await;
    let update =
        format!("UPDATE idempotency_keys SET created_at = '{moment}' WHERE key LIKE '{hours}-%'");
    connection.execute_unprepared(&update).await.expect(&update);
}

#[apply(behaviour)]
async fn an_answer_is_stored_for_a_day(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let connection = fixture.connect().await;
    let new = new_post("Title");
    let send = || post(&service, "/posts", Some(&ada), "key", &new);
    let first = send().await;
    assert_first(&first);
    age(&connection, 23).await;
    assert_replayed(&first, &send().await);
    age(&connection, 25).await;
    // No job has removed the row.
    let second = send().await;
    assert_first(&second);
    assert_ne!(second.text, first.text);
    assert_replayed(&second, &send().await);
    age(&connection, 25).await;
    let other = post(&service, "/posts", Some(&ada), "key", &new_post("Other")).await;
    assert_first(&other);
    let keys = "SELECT count(*) FROM idempotency_keys";
    assert_eq!(column(&connection, keys).await, ["1"]);
}

#[apply(behaviour)]
async fn a_job_removes_old_answers(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let connection = fixture.connect().await;
    // More rows and bytes than one step removes.
    insert_answers(&connection, &ada, 1_000, 25).await;
    insert_answers(&connection, &grace, 3, 23).await;
    let first = post(&service, "/posts", Some(&ada), "key", &new_post("Title")).await;
    assert_first(&first);
    let db = Db::open(&fixture.database()).await.expect("no database");
    assert_eq!(delete_expired(&db).await.expect("failed"), 1_000);
    assert_eq!(delete_expired(&db).await.expect("failed"), 0);
    let keys = "SELECT key FROM idempotency_keys ORDER BY key";
    assert_eq!(
        column(&connection, keys).await,
        ["23-1", "23-2", "23-3", "key"]
    );
}

#[apply(behaviour)]
async fn the_removal_of_an_account_removes_its_answers(fixture: Fixture) {
    let service = fixture.serve().await;
    let sign_up = json!({"email": "ada@example.com", "username": "ada", "password": PASSWORD});
    assert_first(&post(&service, "/users", None, "key", &sign_up).await);
    let (ada, grace) = (
        service.sign_in("ada", PASSWORD).await,
        service.user("grace").await,
    );
    let connection = fixture.connect().await;
    insert_answers(&connection, &ada, 1_000, 1).await;
    insert_answers(&connection, &grace, 3, 2).await;
    let body = Some(json!({"current_password": PASSWORD}));
    let deletion = service.call("DELETE", "/users/me", Some(&ada), body).await;
    deletion.expect(204);
    let remaining = format!("SELECT id FROM users WHERE id = {}", ada.id);
    wait_for(&connection, &remaining, &[]).await;
    let keys = "SELECT key FROM idempotency_keys ORDER BY key";
    assert_eq!(column(&connection, keys).await, ["2-1", "2-2", "2-3"]);
    // The key is free again.
    assert_first(&post(&service, "/users", None, "key", &sign_up).await);
}

#[apply(behaviour)]
async fn stored_answers_count_towards_the_quota_of_text(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.quotas = Quotas::new(QuotaSettings {
        posts: None,
        bytes: Some(9_950),
    });
    let db = state.db.clone();
    let service = fixture.start(state, Origins::These(Vec::new()));
    let ada = service.user("ada").await;
    let usage = async || {
        let me = service.get("/users/me", &ada).await.expect(200).json();
        me["usage"]["bytes"].as_u64().unwrap()
    };
    let new = json!({"title": "t", "content": "c".repeat(3_999)});
    let first = post(&service, "/posts", Some(&ada), "key", &new).await;
    assert_first(&first);
    // The key, the hash and the headers count 512 bytes.
    let stored = u64::try_from(first.text.len()).unwrap() + 512;
    let connection = fixture.connect().await;
    let counted = async |expected| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while usage().await != expected {
            assert!(std::time::Instant::now() < deadline, "{}", usage().await);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    counted(4_000 + stored).await;
    for key in ["other", "another"] {
        let refused = post(&service, "/posts", Some(&ada), key, &new).await;
        assert_problem(&refused, 409, "quota-exceeded");
    }
    assert_replayed(
        &first,
        &post(&service, "/posts", Some(&ada), "key", &new).await,
    );
    // A request that fails takes nothing.
    let missing = json!({"post_id": 42, "dir": 1});
    for number in 0..4 {
        let key = format!("missing-{number}");
        let refused = post(&service, "/vote", Some(&ada), &key, &missing).await;
        assert_problem(&refused, 404, "not-found");
    }
    let id = first.json()["id"].as_i64().unwrap();
    let mut added = Vec::new();
    for dir in [1, 0, 1] {
        let body = json!({"post_id": id, "dir": dir});
        let key = format!("vote-{}", added.len());
        added.push(post(&service, "/vote", Some(&ada), &key, &body).await);
    }
    assert_first(&added[0]);
    assert_first(&added[1]);
    assert_problem(&added[2], 409, "quota-exceeded");
    let vote = json!({"post_id": id, "dir": 1});
    service.post("/vote", &ada, vote).await.expect(201);
    let of_votes = added[..2].iter().map(|answer| answer.text.len() + 512);
    let stored = stored + u64::try_from(of_votes.sum::<usize>()).unwrap();
    // A deletion does not free the answer.
    let path = first.header("location").unwrap();
    let deleted = service.call("DELETE", path, Some(&ada), None).await;
    deleted.expect(204);
    counted(stored).await;
    age(&connection, 25).await;
    delete_expired(&db).await.expect("failed");
    counted(0).await;
}

/// Another write can use up the quota before the repetition.
#[apply(behaviour)]
async fn a_request_is_repeated_while_the_quota_is_full(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.quotas = Quotas::new(QuotaSettings {
        posts: Some(2),
        bytes: Some(3_700),
    });
    let service = fixture.start(state, Origins::These(Vec::new()));
    let ada = service.user("ada").await;
    let new = new_post("Title");
    let first = post(&service, "/posts", Some(&ada), "key", &new).await;
    assert_first(&first);
    let id = first.json()["id"].as_i64().unwrap();
    let vote = json!({"post_id": id, "dir": 1});
    let voted = post(&service, "/vote", Some(&ada), "vote", &vote).await;
    assert_first(&voted);
    let large = json!({"title": "t", "content": "c".repeat(2_000)});
    service.post("/posts", &ada, large).await.expect(201);
    let refused = post(&service, "/posts", Some(&ada), "other", &new).await;
    assert_problem(&refused, 409, "quota-exceeded");
    for _ in 0..2 {
        let again = post(&service, "/posts", Some(&ada), "key", &new).await;
        assert_replayed(&first, &again);
        let again = post(&service, "/vote", Some(&ada), "vote", &vote).await;
        assert_replayed(&voted, &again);
        let other = post(&service, "/posts", Some(&ada), "key", &new_post("Other")).await;
        assert_problem(&other, 422, "idempotency-key-reused");
    }
}

/// An answer can be much longer than its request, which is reserved for it.
#[apply(behaviour)]
async fn a_long_answer_counts_as_a_whole(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    let quota = 400_000;
    state.quotas = Quotas::new(QuotaSettings {
        posts: None,
        bytes: Some(quota),
    });
    let service = fixture.start(state, Origins::These(Vec::new()));
    let ada = service.user("ada").await;
    let mut rows = vec![json!({}); 999];
    rows.push(new_post("Title"));
    let body = json!({"posts": rows, "atomic": false});
    let mut stored = 0;
    for number in 0..6 {
        let key = format!("key-{number}");
        let answer = post(&service, "/posts/bulk", Some(&ada), &key, &body).await;
        if stored > quota {
            assert_problem(&answer, 409, "quota-exceeded");
        } else {
            assert_first(&answer);
            stored += u64::try_from(answer.text.len()).unwrap();
        }
    }
    assert!(stored > quota, "{stored}");
}
