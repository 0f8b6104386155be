//! Many requests at the same time.

use acclaim::config::Origins;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{
    Fixture, apply, behaviour, column,
    service::{Answer, PASSWORD},
};

fn one_of_all_succeeded(answers: &[Answer]) {
    let with = |status| answers.iter().filter(|a| a.status == status).count();
    assert_eq!((with(201), with(409)), (1, answers.len() - 1));
}

#[apply(behaviour)]
async fn simultaneous_sign_ups_with_one_address_make_one_user(fixture: Fixture) {
    let service = fixture.serve().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    // Each hashes a password.
    let calls = (0..60).map(|_| service.call("POST", "/users", None, Some(body.clone())));
    let answers = join_all(calls).await;
    one_of_all_succeeded(&answers);
    let connection = fixture.connect().await;
    assert_eq!(
        column(&connection, "SELECT count(*) FROM users").await,
        ["1"]
    );
}

#[apply(behaviour)]
async fn two_hundred_votes_of_one_user_count_once(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    let body = json!({"post_id": id, "dir": 1});
    let answers = join_all((0..200).map(|_| service.post("/vote", &ada, body.clone()))).await;
    one_of_all_succeeded(&answers);
    let post = service.get(&format!("/posts/{id}"), &ada).await.json();
    assert_eq!(post["votes"], 1);
}

#[apply(behaviour)]
async fn votes_of_many_users_all_count(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    // More than a batch has.
    let names: Vec<String> = (0..80).map(|number| format!("user{number}")).collect();
    let mut users = Vec::new();
    // The passwords of all at once could take longer to hash than a request may last.
    for names in names.chunks(20) {
        users.extend(join_all(names.iter().map(|name| service.user(name))).await);
    }
    let body = json!({"post_id": id, "dir": 1});
    let votes = users
        .iter()
        .map(|user| service.post("/vote", user, body.clone()));
    let mut counts: Vec<i64> = join_all(votes)
        .await
        .into_iter()
        .map(|answer| answer.expect(201).json()["votes"].as_i64().unwrap())
        .collect();
    counts.sort_unstable();
    // Each answer counts its own vote and all earlier ones, and may include later ones.
    assert!(
        counts
            .iter()
            .zip(1..)
            .all(|(&count, least)| count >= least && count <= 80),
        "{counts:?}"
    );
    assert_eq!(counts.last(), Some(&80));
    let post = service.get(&format!("/posts/{id}"), &ada).await.json();
    assert_eq!(post["votes"], 80);
}

/// Concurrent readers share queries. A writer must not get a query that began before the write.
#[apply(behaviour)]
async fn writers_read_their_own_writes_among_many_readers(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    // Long posts make a query outlast several small requests.
    let new = json!({"title": "t", "content": "c".repeat(40_000)});
    for _ in 0..30 {
        service.post("/posts", &ada, new.clone()).await.expect(201);
    }
    let id = service.new_post(&ada, "Title").await;
    let one = format!("/posts/{id}");
    let read = async |path: &str| service.get(path, &ada).await.expect(200).json();
    let readers = join_all((0..12).map(async |number| {
        let path = if number % 2 == 0 {
            &one
        } else {
            "/posts?limit=30"
        };
        loop {
            service.get(path, &ada).await.expect(200);
        }
    }));
    let writer = async {
        for number in 0..50 {
            let title = format!("Title {number}");
            let body = Some(json!({"title": title}));
            let written = service.call("PATCH", &one, Some(&ada), body).await;
            written.expect(200);
            assert_eq!(read(&one).await["title"], title);
            assert_eq!(read("/posts?limit=30").await[0]["title"], title);
        }
    };
    tokio::select! {
        _ = readers => unreachable!(),
        () = writer => {}
    }
}

#[apply(behaviour)]
async fn concurrent_readers_get_the_answers_of_a_single_reader(fixture: Fixture) {
    let service = fixture.serve_as(true, Origins::Any).await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let mut paths = vec!["/posts".to_owned(), "/posts/9999".to_owned()];
    for number in 0..20 {
        let author = if number % 2 == 0 { &ada } else { &bob };
        let new = json!({"title": "t", "content": "c", "published": number % 5 != 0});
        let id = service.post("/posts", author, new).await.json()["id"].clone();
        paths.push(format!("/posts/{id}"));
        if number % 3 == 0 {
            let vote = format!("/posts/{id}/vote");
            service.call("PUT", &vote, Some(author), None).await;
        }
    }
    let mut reads = Vec::new();
    for reader in [None, Some(&ada), Some(&bob)] {
        reads.extend(paths.iter().map(|path| (reader, path.clone())));
    }
    let read = async |number: usize| {
        let (reader, path) = &reads[number];
        let answer = service.call("GET", path, *reader, None).await;
        let body = answer.json();
        // Drop `instance`, which has the request id.
        let content = if answer.status == 200 {
            body
        } else {
            body["detail"].clone()
        };
        (answer.status, content)
    };
    let mut alone = Vec::new();
    for number in 0..reads.len() {
        alone.push(read(number).await);
    }
    let statuses = |wanted| alone.iter().filter(|(status, _)| *status == wanted).count();
    assert!(statuses(200) > 40 && statuses(404) > 3);
    for _ in 0..20 {
        assert_eq!(join_all((0..reads.len()).map(&read)).await, alone);
    }
}
