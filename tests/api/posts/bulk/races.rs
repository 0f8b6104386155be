//! Bulk writes at the same time.

use futures_util::future::{join, join_all};
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};

use super::{counts, rows, send};
use crate::harness::{Fixture, apply, behaviour, column, postgres_behaviour, wait_for};

const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()";

#[apply(behaviour)]
async fn concurrent_upserts_make_one_post_each(fixture: Fixture) {
    let (first, second) = (fixture.serve().await, fixture.serve().await);
    let ada = first.user("ada").await;
    let calls = (0..16_usize).map(|number| {
        let service = if number % 2 == 0 { &first } else { &second };
        let mut rows = rows(50, &format!("Post of {number}"));
        if number % 4 > 1 {
            rows.as_array_mut().unwrap().reverse();
        }
        let ada = &ada;
        async move {
            match number {
                13 => {
                    let mut changes = rows.clone();
                    for change in changes.as_array_mut().unwrap() {
                        *change = json!({"external_id": change["external_id"], "title": "Changed"});
                    }
                    let each = json!({"atomic": false});
                    send(service, ada, "PATCH", &changes, each).await
                }
                14 => {
                    let key = |row: &Value| json!({"external_id": row["external_id"]});
                    let keys: Value = rows.as_array().unwrap().iter().map(key).collect();
                    send(service, ada, "DELETE", &keys, json!({"atomic": false})).await
                }
                15 => {
                    let path = "/posts/by-external-id/key%207";
                    let body = json!({"title": "Single", "content": "Words."});
                    service.call("PUT", path, Some(ada), Some(body)).await
                }
                _ => {
                    send(
                        service,
                        ada,
                        "POST",
                        &rows,
                        json!({"on_conflict": "update"}),
                    )
                    .await
                }
            }
        }
    });
    for answer in join_all(calls).await {
        assert!(answer.status < 300, "{answer:?}");
    }
    let upsert = json!({"on_conflict": "update"});
    let last = send(&first, &ada, "POST", &rows(50, "Last"), upsert).await;
    assert!(last.status < 300, "{last:?}");
    let connection = fixture.connect().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM posts", "50"),
        ("SELECT count(DISTINCT external_id) FROM posts", "50"),
        ("SELECT count(*) FROM posts WHERE title LIKE 'Last %'", "50"),
        ("SELECT count(*) FROM ranks", "50"),
    ] {
        assert_eq!(column(&connection, sql).await, [expected], "{sql}");
    }
}

/// Only PostgreSQL has two writers at the same time.
#[apply(postgres_behaviour)]
async fn a_post_that_takes_an_external_id_meanwhile_is_updated(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let connection = fixture.connect().await;
    let other = connection.begin().await.expect("no transaction");
    let insert = "INSERT INTO posts (owner_id, title, content, published, created_at, updated_at, external_id)
        SELECT id, 'Other', 'Words.', true, created_at, created_at, 'key 1' FROM users";
    other.execute_unprepared(insert).await.expect(insert);
    let rows = rows(3, "Post");
    let upsert = send(
        &service,
        &ada,
        "POST",
        &rows,
        json!({"on_conflict": "update"}),
    );
    let commit = async {
        wait_for(&fixture.connect().await, WAITING, &["1"]).await;
        other.commit().await.expect("not committed");
    };
    let (answer, ()) = join(upsert, commit).await;
    assert_eq!(counts(&answer.expect(201).json()), [2, 1, 0, 0, 0, 0]);
}

/// Two requests that take several external ids could wait for each other.
#[apply(postgres_behaviour)]
async fn writes_that_take_external_ids_wait_for_those_of_the_same_owner(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    let connection = fixture.connect().await;
    let change = json!([{"id": id, "external_id": "key"}]);
    for (method, rows) in [("POST", &rows(3, "Post")), ("PATCH", &change)] {
        let other = connection.begin().await.expect("no transaction");
        let lock = "SELECT id FROM users FOR NO KEY UPDATE";
        other.execute_unprepared(lock).await.expect(lock);
        let write = send(&service, &ada, method, rows, json!({}));
        let release = async {
            wait_for(&fixture.connect().await, WAITING, &["1"]).await;
            other.commit().await.expect("not committed");
        };
        let (answer, ()) = join(write, release).await;
        assert!(answer.status < 300, "{answer:?}");
    }
    let other = connection.begin().await.expect("no transaction");
    let delete = "DELETE FROM users";
    other.execute_unprepared(delete).await.expect(delete);
    let new = rows(1, "New");
    let write = send(&service, &ada, "POST", &new, json!({}));
    let release = async {
        wait_for(&fixture.connect().await, WAITING, &["1"]).await;
        other.commit().await.expect("not committed");
    };
    let (answer, ()) = join(write, release).await;
    assert_eq!(answer.problem(401)["type"], "/problems/invalid-token");
}

/// Eight rows with other external ids in each round.
fn key_rows(round: u32) -> Vec<Value> {
    let row = |key| {
        let external_id = format!("{round} {key}");
        json!({"title": "Title", "content": "Words.", "external_id": external_id})
    };
    (0..8).map(row).collect()
}

#[apply(behaviour)]
async fn all_ways_to_take_an_external_id_end_well_at_the_same_time(fixture: Fixture) {
    let (first, second) = (fixture.serve().await, fixture.serve().await);
    let ada = first.user("ada").await;
    let mut ids = Vec::new();
    for number in 0..8 {
        ids.push(first.new_post(&ada, &format!("Post {number}")).await);
    }
    for round in 0..6 {
        let calls = (0..36_usize).map(|number| {
            let service = if number % 2 == 0 { &first } else { &second };
            let (ada, ids) = (&ada, &ids);
            let rows = key_rows(round);
            let external_id = format!("{round} {}", number / 2 % 8);
            let mut post = json!({"title": "Title", "content": "Words."});
            async move {
                match number % 9 {
                    0..3 => {
                        let path = format!("/posts/by-external-id/{external_id}");
                        service.call("PUT", &path, Some(ada), Some(post)).await
                    }
                    3..6 => {
                        post["external_id"] = json!(external_id);
                        service.post("/posts", ada, post).await
                    }
                    6 => {
                        let path = format!("/posts/{}", ids[number % 8]);
                        let change = json!({"external_id": external_id});
                        service.call("PATCH", &path, Some(ada), Some(change)).await
                    }
                    kind => {
                        let mut rows = rows;
                        if kind == 8 {
                            for (row, id) in rows.iter_mut().zip(ids) {
                                row["id"] = json!(id);
                            }
                        }
                        if number % 4 > 1 {
                            rows.reverse();
                        }
                        let (method, options) = match kind {
                            7 => ("POST", json!({"on_conflict": "update"})),
                            _ => ("PATCH", json!({"atomic": false})),
                        };
                        send(service, ada, method, &rows.into(), options).await
                    }
                }
            }
        });
        for answer in join_all(calls).await {
            assert!([200, 201, 409].contains(&answer.status), "{answer:?}");
        }
        let count = "SELECT count(*) FROM posts WHERE external_id LIKE";
        let count = format!("{count} '{round} %'");
        assert_eq!(column(&fixture.connect().await, &count).await, ["8"]);
    }
}
