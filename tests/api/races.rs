//! Many at once.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{
    Fixture, behaviours, column,
    service::{Answer, PASSWORD},
};

behaviours![
    two_hundred_sign_ups_with_one_address_make_one_user,
    two_hundred_votes_of_one_user_count_once,
    votes_of_two_hundred_users_all_count,
    who_writes_reads_it_among_many_readers,
];

fn one_of_two_hundred_succeeded(answers: &[Answer]) {
    let with = |status| answers.iter().filter(|a| a.status == status).count();
    assert_eq!((with(201), with(409)), (1, 199));
}

async fn two_hundred_sign_ups_with_one_address_make_one_user(fixture: Fixture) {
    let service = fixture.serve().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let calls = (0..200).map(|_| service.call("POST", "/users", None, Some(body.clone())));
    let answers = join_all(calls).await;
    one_of_two_hundred_succeeded(&answers);
    let connection = fixture.connect().await;
    assert_eq!(
        column(&connection, "SELECT count(*) FROM users").await,
        ["1"]
    );
}

async fn two_hundred_votes_of_one_user_count_once(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    let body = json!({"post_id": id, "dir": 1});
    let answers = join_all((0..200).map(|_| service.post("/vote", &ada, body.clone()))).await;
    one_of_two_hundred_succeeded(&answers);
    let post = service.get(&format!("/posts/{id}"), &ada).await.json();
    assert_eq!(post["votes"], 1);
}

async fn votes_of_two_hundred_users_all_count(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    let names: Vec<String> = (0..200).map(|number| format!("user{number}")).collect();
    let users = join_all(names.iter().map(|name| service.user(name))).await;
    let body = json!({"post_id": id, "dir": 1});
    let votes = users
        .iter()
        .map(|user| service.post("/vote", user, body.clone()));
    let mut told: Vec<i64> = join_all(votes)
        .await
        .into_iter()
        .map(|answer| answer.expect(201).json()["votes"].as_i64().unwrap())
        .collect();
    told.sort_unstable();
    // Each is told of the own vote and of all that were counted before it, perhaps of later ones.
    assert!(
        told.iter()
            .zip(1..)
            .all(|(&told, least)| told >= least && told <= 200),
        "{told:?}"
    );
    assert_eq!(told.last(), Some(&200));
    let post = service.get(&format!("/posts/{id}"), &ada).await.json();
    assert_eq!(post["votes"], 200);
}

/// Readers who come together share queries; a query that began before a write is none of its
/// writer's.
async fn who_writes_reads_it_among_many_readers(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    let one = format!("/posts/{id}");
    let read = async |path: &str| service.get(path, &ada).await.expect(200).json();
    let readers = join_all((0..32).map(async |number| {
        let path = if number % 2 == 0 { &one } else { "/posts" };
        loop {
            read(path).await;
        }
    }));
    let writer = async {
        for number in 0..200 {
            let title = format!("Title {number}");
            let body = Some(json!({"title": title}));
            let written = service.call("PATCH", &one, Some(&ada), body).await;
            written.expect(200);
            assert_eq!(read(&one).await["title"], title);
            assert_eq!(read("/posts").await[0]["title"], title);
        }
    };
    tokio::select! {
        _ = readers => unreachable!(),
        () = writer => {}
    }
}
