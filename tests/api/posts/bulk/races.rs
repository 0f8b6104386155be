//! Bulk writes at the same time.

use futures_util::future::{join, join_all};
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};

use super::{counts, rows, send};
use crate::harness::{Fixture, apply, behaviour, column, postgres_behaviour, wait_for};

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
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE wait_event_type = 'Lock' AND datname = current_database()";
        wait_for(&fixture.connect().await, waiting, &["1"]).await;
        other.commit().await.expect("not committed");
    };
    let (answer, ()) = join(upsert, commit).await;
    assert_eq!(counts(&answer.expect(201).json()), [2, 1, 0, 0, 0, 0]);
}
