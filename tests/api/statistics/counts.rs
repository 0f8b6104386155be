//! Every count after every kind of change.

use serde_json::json;

use super::{execute, members, patch, suspend, tagged, take_back, vote};
use crate::harness::{
    Fixture, apply, behaviour, column, insert_numbered, insert_posts,
    service::PASSWORD,
    statistics::{
        Days::{OfLog, OfVotes},
        assert_exact,
    },
    wait_for,
};

#[apply(behaviour)]
async fn every_change_of_posts_and_votes_is_counted(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let numbers = ["users", "posts", "votes"];
    assert_exact(&fixture, OfLog).await;
    let totals = members(&service, &ada, "/stats", numbers).await;
    assert_eq!(totals, [json!(2), json!(0), json!(0)]);

    let (first, second) = (
        tagged(&service, &ada, &["a", "b"]).await,
        tagged(&service, &bob, &["b"]).await,
    );
    let draft = service.new_draft(&ada, "Draft").await;
    for user in [&ada, &bob] {
        vote(&service, user, first).await;
        vote(&service, user, second).await;
    }
    take_back(&service, &ada, second).await;
    assert_exact(&fixture, OfLog).await;
    let totals = members(&service, &ada, "/stats", numbers).await;
    assert_eq!(totals, [json!(2), json!(2), json!(3)]);
    let path = format!("/users/{}/stats", ada.id);
    let of_ada = members(&service, &bob, &path, ["posts", "votes"]).await;
    assert_eq!(of_ada, [json!(1), json!(2)]);

    // A draft keeps its votes, which count again when it is published.
    patch(&service, &ada, first, json!({"published": false})).await;
    patch(&service, &ada, draft, json!({"published": true})).await;
    assert_exact(&fixture, OfLog).await;
    let of_ada = members(&service, &bob, &path, ["posts", "votes"]).await;
    assert_eq!(of_ada, [json!(1), json!(0)]);
    patch(
        &service,
        &ada,
        first,
        json!({"published": true, "tags": ["c"]}),
    )
    .await;
    assert_exact(&fixture, OfLog).await;
    let totals = members(&service, &ada, "/stats", numbers).await;
    assert_eq!(totals, [json!(2), json!(3), json!(3)]);

    let path = format!("/posts/{second}");
    let deleted = service.call("DELETE", &path, Some(&bob), None).await;
    deleted.expect(204);
    assert_exact(&fixture, OfLog).await;
    let totals = members(&service, &ada, "/stats", numbers).await;
    assert_eq!(totals, [json!(2), json!(2), json!(2)]);
}

#[apply(behaviour)]
async fn bulk_writes_are_counted(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let posts: Vec<_> = (0..50)
        .map(|n| json!({"title": "t", "content": "-", "tags": [format!("t{}", n % 5)], "published": n != 0}))
        .collect();
    let made = service.post("/posts/bulk", &ada, json!({"posts": posts}));
    made.await.expect(201);
    assert_exact(&fixture, OfLog).await;
    let bulk = async |method: &str, posts: Vec<serde_json::Value>| {
        let body = Some(json!({"posts": posts}));
        let call = service.call(method, "/posts/bulk", Some(&ada), body);
        call.await.expect(200);
    };
    bulk(
        "PATCH",
        (1..=9)
            .map(|id| json!({"id": id, "published": id % 2 == 1, "tags": ["t4", "new"]}))
            .collect(),
    )
    .await;
    bulk("DELETE", (5..=20).map(|id| json!({"id": id})).collect()).await;
    assert_exact(&fixture, OfLog).await;
    let [posts] = members(&service, &ada, "/stats", ["posts"]).await;
    assert_eq!(posts, 32);
}

/// The posts of a user are looked at in steps of 500.
#[apply(behaviour)]
async fn a_suspension_hides_all_posts_and_its_end_shows_them(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let connection = fixture.connect().await;
    insert_posts(&connection, ada.id, 2_600, "-").await;
    let post = tagged(&service, &bob, &["tag"]).await;
    vote(&service, &bob, 2).await;
    let counts = async |users: i64, posts: i64, votes: i64| {
        assert_exact(&fixture, OfLog).await;
        let totals = members(&service, &bob, "/stats", ["users", "posts", "votes"]).await;
        assert_eq!(totals, [json!(users), json!(posts), json!(votes)]);
    };
    counts(2, 1_301, 1).await;
    suspend(&connection, ada.id, true).await;
    counts(2, 1, 0).await;
    let tags = service.get("/tags", &bob).await.expect(200).json();
    assert_eq!(tags["tags"], json!([{"tag": "tag", "posts": 1}]));
    // Changes of a suspended user's posts do not show.
    execute(
        &connection,
        "UPDATE posts SET published = true, version = version + 1 WHERE id IN (1, 3)",
    )
    .await;
    counts(2, 1, 0).await;
    suspend(&connection, ada.id, false).await;
    counts(2, 1_303, 1).await;
    // Both at once, with changes between them.
    suspend(&connection, ada.id, true).await;
    vote(&service, &bob, post).await;
    suspend(&connection, bob.id, true).await;
    suspend(&connection, ada.id, false).await;
    suspend(&connection, bob.id, false).await;
    counts(2, 1_303, 2).await;
}

#[apply(behaviour)]
async fn a_deleted_account_leaves_nothing(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let connection = fixture.connect().await;
    insert_posts(&connection, ada.id, 300, "-").await;
    let post = tagged(&service, &bob, &["tag"]).await;
    for user in [&ada, &bob] {
        vote(&service, user, post).await;
        vote(&service, user, 2).await;
    }
    assert_exact(&fixture, OfLog).await;
    let numbers = ["users", "posts", "votes", "monthly_active_users"];
    let totals = members(&service, &bob, "/stats", numbers).await;
    assert_eq!(totals, [json!(2), json!(151), json!(4), json!(2)]);
    let body = json!({"current_password": PASSWORD});
    let deleted = service.call("DELETE", "/users/me", Some(&ada), Some(body));
    deleted.await.expect(204);
    wait_for(&connection, "SELECT username FROM users", &["bob"]).await;
    assert_exact(&fixture, OfLog).await;
    let totals = members(&service, &bob, "/stats", numbers).await;
    assert_eq!(totals, [json!(1), json!(1), json!(1), json!(1)]);
    for table in ["user_statistics", "user_activity"] {
        let users = format!("SELECT user_id FROM {table}");
        assert_eq!(column(&connection, &users).await, [bob.id.to_string()]);
    }
    let path = format!("/users/{}/stats", ada.id);
    service.get(&path, &bob).await.problem(404);
}

/// Rows that SQL on the database removes, with cascades and without the service.
#[apply(behaviour)]
async fn changes_past_the_service_are_counted(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let connection = fixture.connect().await;
    insert_posts(&connection, ada.id, 2_000, "-").await;
    let select = format!("n, {}, created_at FROM numbers, users WHERE id = 1", bob.id);
    insert_numbered(
        &connection,
        2_000,
        "votes (post_id, user_id, created_at)",
        &select,
    )
    .await;
    assert_exact(&fixture, OfLog).await;
    let owner = format!("UPDATE posts SET owner_id = {} WHERE id < 100", bob.id);
    execute(&connection, &owner).await;
    execute(&connection, "DELETE FROM votes WHERE post_id > 1990").await;
    execute(
        &connection,
        "UPDATE votes SET post_id = 1998 WHERE post_id = 8",
    )
    .await;
    assert_exact(&fixture, OfLog).await;
    let delete = format!("DELETE FROM users WHERE id = {}", ada.id);
    execute(&connection, &delete).await;
    assert_exact(&fixture, OfLog).await;
    let totals = members(&service, &bob, "/stats", ["users", "posts", "votes"]).await;
    assert_eq!(totals, [json!(1), json!(49), json!(48)]);
    if fixture.is_postgres() {
        execute(&connection, "TRUNCATE posts CASCADE").await;
        assert_exact(&fixture, OfVotes).await;
    }
}
