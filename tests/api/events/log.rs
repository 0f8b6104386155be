//! The log itself: no path forgets an event, none is lost, and old ones are removed.

use std::collections::BTreeMap;

use entity::values::EventPosition;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;

use super::{POSTS, Stream, all, numbered};
use crate::harness::{
    Fixture, apply, behaviour, column, insert_posts, postgres_behaviour, service::PASSWORD,
    wait_for,
};

/// The number of events of each kind that are not about users.
async fn counts(fixture: &Fixture) -> BTreeMap<String, i64> {
    numbered(fixture).await;
    let sql = "SELECT kind FROM events WHERE kind NOT LIKE 'user.%'";
    let mut counts = BTreeMap::new();
    for kind in column(&fixture.connect().await, sql).await {
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

#[apply(behaviour)]
async fn bulk_writes_and_cascades_are_events(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let posts: Vec<_> = (0..20)
        .map(|n| json!({"title": n.to_string(), "content": "-", "external_id": n.to_string(), "published": n != 0}))
        .collect();
    let bulk = json!({"posts": posts});
    service
        .post("/posts/bulk", &ada, bulk.clone())
        .await
        .expect(201);
    // Unchanged rows are no events.
    let mut same = bulk;
    same["on_conflict"] = json!("update");
    service.post("/posts/bulk", &ada, same).await.expect(200);
    for post in 2..=20 {
        let vote = format!("/posts/{post}/vote");
        for voter in [&ada, &bob] {
            service
                .call("PUT", &vote, Some(voter), None)
                .await
                .expect(200);
        }
    }
    let changes: Vec<_> = (1..=10)
        .map(|id| json!({"id": id, "title": "New", "published": true}))
        .collect();
    service
        .call(
            "PATCH",
            "/posts/bulk",
            Some(&ada),
            Some(json!({"posts": changes})),
        )
        .await
        .expect(200);
    let ids: Vec<_> = (1..=5).map(|id| json!({"id": id})).collect();
    service
        .call(
            "DELETE",
            "/posts/bulk",
            Some(&ada),
            Some(json!({"posts": ids})),
        )
        .await
        .expect(200);
    let expected = |pairs: &[(&str, i64)]| -> BTreeMap<String, i64> {
        pairs
            .iter()
            .map(|(kind, count)| ((*kind).to_owned(), *count))
            .collect()
    };
    assert_eq!(
        counts(&fixture).await,
        expected(&[
            ("post.created", 20),
            ("post.deleted", 5),
            ("post.published", 1),
            ("post.updated", 9),
            ("vote.added", 38),
            ("vote.removed", 8),
        ])
    );
    // The removal of an account in steps.
    let body = json!({"current_password": PASSWORD});
    service
        .call("DELETE", "/users/me", Some(&ada), Some(body))
        .await
        .expect(204);
    let connection = fixture.connect().await;
    wait_for(&connection, "SELECT username FROM users", &["bob"]).await;
    assert_eq!(
        counts(&fixture).await,
        expected(&[
            ("post.created", 20),
            ("post.deleted", 20),
            ("post.published", 1),
            ("post.updated", 9),
            ("session.ended", 1),
            ("vote.added", 38),
            ("vote.removed", 38),
        ])
    );
}

#[apply(behaviour)]
async fn changes_past_the_service_are_events(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let post = service.new_post(&ada, "One").await;
    numbered(&fixture).await;
    let mut stream = Stream::of(&service, &format!("/events?{POSTS}"), &ada).await;
    let connection = fixture.connect().await;
    let edit = "UPDATE posts SET title = 'Two'";
    connection.execute_unprepared(edit).await.unwrap();
    assert_eq!(
        stream.told().await,
        format!("post.updated post={post} owner=1")
    );
    connection
        .execute_unprepared("DELETE FROM posts")
        .await
        .unwrap();
    assert_eq!(
        stream.told().await,
        format!("post.deleted post={post} owner=1")
    );
    if fixture.is_postgres() {
        let post = service.new_post(&ada, "Three").await;
        assert_eq!(
            stream.told().await,
            format!("post.created post={post} owner=1")
        );
        connection
            .execute_unprepared("TRUNCATE posts CASCADE")
            .await
            .unwrap();
        assert_eq!(
            stream.told().await,
            format!("post.deleted post={post} owner=1")
        );
    }
}

/// A reader that remembers the highest number it saw would miss the first event.
#[apply(postgres_behaviour)]
async fn a_transaction_that_commits_late_is_not_lost(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let first = service.new_post(&ada, "First").await;
    let second = service.new_post(&ada, "Second").await;
    numbered(&fixture).await;
    let mut stream = Stream::of(&service, "/events?kinds=vote.*", &ada).await;
    let connection = fixture.connect().await;
    let late = connection.begin().await.unwrap();
    let vote = format!("INSERT INTO votes VALUES ({first}, {}, now())", bob.id);
    late.execute_unprepared(&vote).await.unwrap();
    // Enough moves to the log for the outbox to be stepped over.
    for _ in 0..5 {
        let vote = format!("/posts/{second}/vote");
        service
            .call("PUT", &vote, Some(&bob), None)
            .await
            .expect(200);
        assert_eq!(
            stream.told().await,
            format!("vote.added post={second} owner=1 votes=1")
        );
        service
            .call("DELETE", &vote, Some(&bob), None)
            .await
            .expect(200);
        assert_eq!(
            stream.told().await,
            format!("vote.removed post={second} owner=1 votes=0")
        );
    }
    late.commit().await.unwrap();
    assert_eq!(
        stream.told().await,
        format!("vote.added post={first} owner=1 votes=1")
    );
}

#[apply(behaviour)]
async fn old_events_are_removed_and_the_last_position_stays(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for number in 0..3 {
        service.new_post(&ada, &number.to_string()).await;
    }
    numbered(&fixture).await;
    let connection = fixture.connect().await;
    // Times do not ascend exactly. An old event behind a newer one stays, or a reader would miss it.
    let age = |positions: &str| {
        format!("UPDATE events SET at = '2026-01-01T00:00:00Z' WHERE position {positions}")
    };
    connection
        .execute_unprepared(&age("IN (1, 3)"))
        .await
        .unwrap();
    let db = acclaim::db::Db::open(&fixture.database()).await.unwrap();
    let keep = time::Duration::days(7);
    let any = EventPosition::parse(i64::MAX).unwrap();
    let remove = async || acclaim::services::events::delete_expired(&db, keep, any).await;
    assert_eq!(remove().await.unwrap(), 1);
    connection.execute_unprepared(&age("> 0")).await.unwrap();
    assert_eq!(remove().await.unwrap(), 2);
    assert_eq!(
        all(&service, "/events?after=0", &ada).await,
        ["post.created post=3 owner=1"]
    );
    let post = service.new_post(&ada, "After").await;
    numbered(&fixture).await;
    let page = service
        .get("/events?after=4", &ada)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&page[0]["position"], &page[0]["post_id"]),
        (&json!(5), &json!(post))
    );
}

/// PostgreSQL's outbox gets several rows, each of which can be moved in time.
#[apply(behaviour)]
async fn a_statement_with_many_changes_is_split(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    numbered(&fixture).await;
    let mut stream = Stream::of(&service, &format!("/events?{POSTS}"), &ada).await;
    let connection = fixture.connect().await;
    insert_posts(&connection, ada.id, 2_500, "-").await;
    connection
        .execute_unprepared("DELETE FROM posts")
        .await
        .unwrap();
    let mut deleted = 0;
    while deleted < 2_500 {
        let event = stream.next().await.expect("the stream ended");
        deleted += usize::from(event.name == "post.deleted");
    }
    assert_eq!(counts(&fixture).await["post.deleted"], 2_500);
}
