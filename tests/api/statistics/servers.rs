//! Several servers, and changes at the same time.

use acclaim::{db::Db, services::statistics::fold};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::{suspend, vote};
use crate::harness::{
    Fixture, apply, behaviour, column, insert_numbered, insert_posts,
    statistics::{Days::OfLog, assert_exact},
};

/// Many fold at once, as fast as they can, and two jobs too. Each event counts once.
#[apply(behaviour)]
async fn servers_that_fold_at_the_same_time_count_once(fixture: Fixture) {
    let first = fixture.serve().await;
    fixture.serve().await;
    let (ada, bob) = (first.user("ada").await, first.user("bob").await);
    let connection = fixture.connect().await;
    let mut folding = Vec::new();
    let stop = tokio_util::sync::CancellationToken::new();
    for _ in 0..3 {
        let db = Db::open(&fixture.database()).await.expect("not opened");
        let stop = stop.clone();
        folding.push(tokio::spawn(async move {
            while !stop.is_cancelled() {
                fold(&db).await.expect("not folded");
            }
        }));
    }
    for _ in 0..3 {
        insert_posts(&connection, ada.id, 3_000, "-").await;
    }
    let select = format!("n, {}, created_at FROM numbers, users WHERE id = 1", bob.id);
    insert_numbered(
        &connection,
        6_000,
        "votes (post_id, user_id, created_at)",
        &select,
    )
    .await;
    assert_exact(&fixture, OfLog).await;
    stop.cancel();
    for task in folding {
        task.await.unwrap();
    }
    assert_exact(&fixture, OfLog).await;
    // Each step has another revision: a step of several servers was written by one of them.
    let [steps] = &column(&connection, "SELECT revision FROM statistics").await[..] else {
        panic!("no row");
    };
    assert!(steps.parse::<i64>().unwrap() >= 8, "{steps}");
}

/// Random changes by several users on two servers.
#[apply(behaviour)]
async fn a_random_storm_equals_a_full_count(fixture: Fixture) {
    let services = [fixture.serve().await, fixture.serve().await];
    let mut users = Vec::new();
    for name in ["ada", "bob", "eve", "joe"] {
        users.push(services[0].user(name).await);
    }
    let connection = &fixture.connect().await;
    let storm = users.iter().enumerate().map(|(number, user)| {
        let service = services[number % 2].clone();
        async move {
            let mut random = StdRng::seed_from_u64(number as u64);
            for _ in 0..80 {
                let id = random.random_range(1..60_i64);
                let tag = format!("t{}", random.random_range(0..5));
                let published = random.random_bool(0.7);
                let path = format!("/posts/{id}");
                let body =
                    json!({"title": "t", "content": "c", "tags": [tag], "published": published});
                match random.random_range(0..10) {
                    0..=2 => drop(service.post("/posts", user, body).await),
                    3 => drop(service.call("PATCH", &path, Some(user), Some(body)).await),
                    4 => drop(service.call("DELETE", &path, Some(user), None).await),
                    5 => {
                        let path = format!("{path}/vote");
                        drop(service.call("DELETE", &path, Some(user), None).await);
                    }
                    // Not the users of this storm, whose requests would be refused.
                    6 if number == 0 => suspend(connection, 4, published).await,
                    _ => drop(
                        service
                            .call("PUT", &format!("{path}/vote"), Some(user), None)
                            .await,
                    ),
                }
            }
        }
    });
    futures_util::future::join_all(storm).await;
    assert_exact(&fixture, OfLog).await;
    suspend(connection, 4, false).await;
    vote(&services[1], &users[0], {
        services[0].new_post(&users[1], "Last").await
    })
    .await;
    assert_exact(&fixture, OfLog).await;
}
