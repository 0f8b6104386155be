//! A PostgreSQL that runs every transaction as SERIALIZABLE, and refuses some with 40001.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Fixture, apply, column, postgres_behaviour, service::User};

/// The refusals that tell clients to try again must not reach the clients of the service.
#[apply(postgres_behaviour)]
async fn refused_transactions_are_repeated(fixture: Fixture) {
    let connection = fixture.connect().await;
    let serializable = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET \
                        default_transaction_isolation = serializable', current_database()); END $$";
    column(&connection, serializable).await;
    // Two servers, because one batches the writes of its requests.
    let servers = [fixture.serve().await, fixture.serve().await];
    let mut users: Vec<User> = Vec::new();
    for name in ["ada", "bob", "carol", "dan", "eve"] {
        users.push(servers[0].user(name).await);
    }
    let id = servers[0].new_post(&users[0], "Title").await;
    let post = format!("/posts/{id}");
    let vote = format!("{post}/vote");
    let calls = users
        .iter()
        .zip(servers.iter().cycle())
        .map(async |(user, server)| {
            for round in 0..10 {
                server
                    .call("PUT", &vote, Some(user), None)
                    .await
                    .expect(200);
                let body = json!({"title": "New", "content": "Content"});
                server.post("/posts", user, body).await.expect(201);
                server.get("/posts?sort=top", user).await.expect(200);
                server.get(&post, user).await.expect(200);
                let title = json!({"title": format!("Title {round}")});
                let changed = server
                    .call("PATCH", &post, Some(&users[0]), Some(title))
                    .await;
                changed.expect(200);
                if round < 9 {
                    server
                        .call("DELETE", &vote, Some(user), None)
                        .await
                        .expect(200);
                }
            }
        });
    join_all(calls).await;
    let read = servers[0].get(&post, &users[0]).await.json();
    assert_eq!((&read["votes"], &read["version"]), (&json!(5), &json!(51)));
    let posts = "SELECT count(*) FROM posts";
    assert_eq!(column(&connection, posts).await, ["51"]);
    let isolation = "SELECT current_setting('default_transaction_isolation')";
    assert_eq!(
        column(&fixture.connect().await, isolation).await,
        ["serializable"]
    );
}
