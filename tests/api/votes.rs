//! Votes and the stored counts of them.

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::harness::{Fixture, apply, behaviour, column};

#[apply(behaviour)]
async fn a_vote_is_added_once_and_taken_back_once(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let id = service.new_post(&ada, "Title").await;
    let vote = async |user, dir: i64| {
        service
            .post("/vote", user, json!({"post_id": id, "dir": dir}))
            .await
    };
    let answer = vote(&bob, 1).await.expect(201).json();
    assert_eq!(
        answer,
        json!({"message": "vote added", "post_id": id, "votes": 1})
    );
    vote(&bob, 1).await.problem(409);
    let old = service
        .post("/vote", &ada, json!({"post_id": id, "vote_dir": 1}))
        .await;
    assert_eq!(old.expect(201).json()["votes"], 2);
    let post = service.get(&format!("/posts/{id}"), &bob).await.json();
    assert_eq!((&post["votes"], &post["voted"]), (&json!(2), &json!(true)));
    let answer = vote(&bob, 0).await.expect(201).json();
    assert_eq!(
        answer,
        json!({"message": "vote taken back", "post_id": id, "votes": 1})
    );
    vote(&bob, 0).await.problem(404);
    let list = service.get("/posts", &bob).await.json();
    assert_eq!(
        (&list[0]["votes"], &list[0]["voted"]),
        (&json!(1), &json!(false))
    );
}

#[apply(behaviour)]
async fn put_and_delete_are_idempotent(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    let path = format!("/posts/{id}/vote");
    for (method, votes, voted) in [
        ("DELETE", 0, false),
        ("PUT", 1, true),
        ("PUT", 1, true),
        ("DELETE", 0, false),
        ("DELETE", 0, false),
    ] {
        let answer = service
            .call(method, &path, Some(&ada), None)
            .await
            .expect(200)
            .json();
        assert_eq!(
            answer,
            json!({"post_id": id, "votes": votes, "voted": voted})
        );
    }
    service
        .call("PUT", "/posts/42/vote", Some(&ada), None)
        .await
        .problem(404);
    service
        .call("DELETE", "/posts/42/vote", Some(&ada), None)
        .await
        .problem(404);
    let answer = service.call("PUT", "/posts/x/vote", Some(&ada), None).await;
    assert_eq!(answer.field_errors(), ["id type"]);
}

#[apply(behaviour)]
async fn invalid_fields_of_a_vote_are_reported(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for (body, errors) in [
        (json!({}), vec!["dir required", "post_id required"]),
        (json!({"post_id": 1, "dir": 2}), vec!["dir range"]),
        (
            json!({"post_id": "1", "dir": -1}),
            vec!["dir range", "post_id type"],
        ),
        (
            json!({"post_id": 9_223_372_036_854_775_808_u64, "dir": true}),
            vec!["dir type", "post_id range"],
        ),
        (
            json!({"post_id": 1.5, "vote_dir": 3}),
            vec!["dir range", "post_id type"],
        ),
    ] {
        assert_eq!(
            service.post("/vote", &ada, body).await.field_errors(),
            errors
        );
    }
    let missing = service
        .post("/vote", &ada, json!({"post_id": 42, "dir": 1}))
        .await;
    assert_eq!(missing.problem(404)["detail"], "post 42 does not exist");
}

#[apply(behaviour)]
async fn counts_follow_every_change_of_votes(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob, eve) = (
        service.user("ada").await,
        service.user("bob").await,
        service.user("eve").await,
    );
    let first = service.new_post(&ada, "first").await;
    let second = service.new_post(&bob, "second").await;
    for user in [&ada, &bob, &eve] {
        for post in [first, second] {
            service
                .call("PUT", &format!("/posts/{post}/vote"), Some(user), None)
                .await
                .expect(200);
        }
    }
    let connection = fixture.connect().await;
    let counts = async || column(&connection, "SELECT votes FROM posts ORDER BY id").await;
    let run = async |sql: String| connection.execute_unprepared(&sql).await.expect(&sql);
    assert_eq!(counts().await, ["3", "3"]);
    run(format!("DELETE FROM users WHERE id = {}", eve.id)).await;
    assert_eq!(counts().await, ["2", "2"]);
    run(format!(
        "DELETE FROM votes WHERE post_id = {second} AND user_id = {}",
        ada.id
    ))
    .await;
    run(format!(
        "UPDATE votes SET post_id = {second} WHERE post_id = {first} AND user_id = {}",
        ada.id
    ))
    .await;
    assert_eq!(counts().await, ["1", "2"]);
    // Deleting Bob deletes his post and his vote for the other post.
    run(format!("DELETE FROM users WHERE id = {}", bob.id)).await;
    assert_eq!(counts().await, ["0"]);
    service
        .call("PUT", &format!("/posts/{first}/vote"), Some(&ada), None)
        .await
        .expect(200);
    run(if fixture.is_postgres() {
        "TRUNCATE votes"
    } else {
        "DELETE FROM votes"
    }
    .to_owned())
    .await;
    assert_eq!(counts().await, ["0"]);
    assert!(
        connection
            .execute_unprepared("UPDATE posts SET votes = -1")
            .await
            .is_err()
    );
}
