//! The same request at the same time.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, Instant, timeout},
};

use super::{assert_first, assert_problem, assert_replayed, new_post, post};
use crate::harness::{
    Fixture, apply, behaviour, column,
    service::{Answer, PASSWORD, Service, User},
};

#[apply(behaviour)]
async fn a_key_is_in_use_until_the_first_response(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let new = new_post("Title");
    // The body of the first request does not arrive yet.
    let body = new.to_string();
    let head = format!(
        "POST /posts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nidempotency-key: key\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        ada.token,
        body.len()
    );
    let address = service.base.trim_start_matches("http://");
    let begin = async || {
        let mut stream = TcpStream::connect(address).await.expect("no connection");
        stream.write_all(head.as_bytes()).await.expect("not sent");
        stream
    };
    let mut stream = begin().await;
    // Until the server has read the head, the key is free for a request that fails.
    let deadline = Instant::now() + Duration::from_secs(30);
    while post(&service, "/posts", Some(&ada), "key", &json!({}))
        .await
        .status
        != 409
    {
        assert!(Instant::now() < deadline, "the key is still free");
        let refused = timeout(Duration::from_millis(5), stream.readable());
        if refused.await.is_ok() {
            // The failing request was in progress just then.
            stream = begin().await;
        }
    }
    for body in [&new, &new_post("Other")] {
        let answer = post(&service, "/posts", Some(&ada), "key", body).await;
        assert_problem(&answer, 409, "idempotency-key-in-use");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let other = post(&service, "/posts", Some(&ada), "other", &new).await;
    assert_first(&other);
    stream.write_all(body.as_bytes()).await.expect("not sent");
    let mut first = String::new();
    let read = stream.read_to_string(&mut first).await;
    read.expect("no answer");
    let (head, body) = first.split_once("\r\n\r\n").expect("no body");
    assert!(head.starts_with("HTTP/1.1 201"), "{first}");
    let again = post(&service, "/posts", Some(&ada), "key", &new).await;
    assert_eq!((again.status, &*again.text), (201, body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}

/// Sends the same request many times at once to two servers. Asserts that all answers are equal, or tell
/// that the key is in use, and that later ones are equal.
async fn race(
    services: &[Service; 2],
    path: &str,
    user: Option<&User>,
    times: usize,
    body: &Value,
) {
    let send = async |number: usize| {
        let service = &services[number % 2];
        post(service, path, user, path, body).await
    };
    let answers = join_all((0..times).map(&send)).await;
    let (done, in_use): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 201);
    for answer in &in_use {
        assert_problem(answer, 409, "idempotency-key-in-use");
    }
    let is_first = |answer: &&Answer| answer.header("idempotency-replayed").is_none();
    let first: Vec<&Answer> = done.iter().filter(is_first).collect();
    assert_eq!(first.len(), 1, "{path}");
    let replayed = done.iter().filter(|answer| !is_first(answer));
    for again in replayed {
        assert_replayed(first[0], again);
    }
    for number in 0..2 {
        assert_replayed(first[0], &send(number).await);
    }
}

#[apply(behaviour)]
async fn two_servers_do_the_same_request_once(fixture: Fixture) {
    let services = [fixture.serve().await, fixture.serve().await];
    let ada = services[0].user("ada").await;
    race(&services, "/posts", Some(&ada), 200, &new_post("Title")).await;
    let connection = fixture.connect().await;
    let id = column(&connection, "SELECT id FROM posts").await;
    assert_eq!(id.len(), 1);
    let id: i64 = id[0].parse().unwrap();
    let vote = json!({"post_id": id, "dir": 1});
    race(&services, "/vote", Some(&ada), 200, &vote).await;
    let sign_up = json!({"email": "grace@example.com", "password": PASSWORD});
    race(&services, "/users", None, 12, &sign_up).await;
    for (table, rows) in [("posts", "1"), ("votes", "1"), ("users", "2")] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(column(&connection, &count).await, [rows], "{table}");
    }
    let post = services[1].get(&format!("/posts/{id}"), &ada).await;
    assert_eq!(post.expect(200).json()["votes"], 1);
}

/// The requests of a batch whose key another server has used do not affect the others.
#[apply(behaviour)]
async fn two_servers_do_each_of_many_requests_once(fixture: Fixture) {
    let services = [fixture.serve().await, fixture.serve().await];
    let ada = services[0].user("ada").await;
    let send = async |number: usize| {
        let (service, key) = (&services[number % 2], format!("key-{}", number / 2));
        let body = new_post(&key);
        post(service, "/posts", Some(&ada), &key, &body).await
    };
    let answers = join_all((0..200).map(&send)).await;
    for pair in answers.chunks(2) {
        let [one, other] = pair else {
            panic!("not a pair")
        };
        for answer in pair {
            assert!([201, 409].contains(&answer.status), "{}", answer.text);
        }
        if one.status == other.status {
            assert_eq!(one.text, other.text);
        }
    }
    let connection = fixture.connect().await;
    let titles = "SELECT count(DISTINCT title) || ' of ' || count(*) FROM posts";
    assert_eq!(column(&connection, titles).await, ["100 of 100"]);
}
