//! The same request again.

use futures_util::future::join_all;
use serde_json::json;

use super::{assert_first, assert_problem, assert_replayed, new_post, post};
use crate::harness::{Fixture, apply, behaviour, column, process::Running, service::PASSWORD};

#[apply(behaviour)]
async fn every_route_answers_a_repeated_request_like_the_first(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    let text = "\u{e4}\u{1f600}\"\\\n\u{1}".repeat(2_000);
    let sign_up = json!({"email": "grace@example.com", "password": PASSWORD});
    let requests = [
        ("/posts", Some(&ada), "new", new_post("Title")),
        (
            "/posts",
            Some(&ada),
            "draft",
            json!({"title": "Draft", "content": text, "published": false, "tags": ["a"]}),
        ),
        ("/vote", Some(&ada), "add", json!({"post_id": id, "dir": 1})),
        (
            "/vote",
            Some(&ada),
            "remove",
            json!({"post_id": id, "dir": 0}),
        ),
        ("/users", None, "grace", sign_up),
    ];
    let mut answers = Vec::new();
    for (path, user, key, body) in &requests {
        let first = post(&service, path, *user, key, body).await;
        assert_first(&first);
        answers.push(first);
    }
    // Later changes do not show.
    let edit = Some(json!({"title": "Other"}));
    let path = answers[0].header("location").unwrap();
    let edited = service.call("PATCH", path, Some(&ada), edit).await;
    edited.expect(200);
    for _ in 0..2 {
        for ((path, user, key, body), first) in requests.iter().zip(&answers) {
            let again = post(&service, path, *user, key, body).await;
            assert_replayed(first, &again);
        }
    }
    let connection = fixture.connect().await;
    for (table, rows) in [("posts", "3"), ("votes", "0"), ("users", "2")] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(column(&connection, &count).await, [rows], "{table}");
    }
}

#[apply(behaviour)]
async fn an_answer_survives_the_end_of_its_server(fixture: Fixture) {
    let settings = [
        ("DATABASE_URL", fixture.owner_url.as_str()),
        ("AUTO_MIGRATE", "true"),
        ("JWT_SECRET", crate::harness::SECRET),
    ];
    let running = Running::start(fixture.folder(), &settings).await;
    let ada = running.service.user("ada").await;
    let new = new_post("Title");
    let first = post(&running.service, "/posts", Some(&ada), "key", &new).await;
    assert_first(&first);
    running.signal("KILL");
    running.end().await;
    let running = Running::start(fixture.folder(), &settings).await;
    let again = post(&running.service, "/posts", Some(&ada), "key", &new).await;
    assert_replayed(&first, &again);
    running.signal("TERM");
    running.end().await;
}

/// Simultaneous requests share statements.
#[apply(behaviour)]
async fn each_of_many_requests_gets_its_own_answer(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let names: Vec<String> = (0..100).map(|number| format!("Title {number}")).collect();
    let send = async |name: &String| {
        let body = if name.ends_with('5') {
            json!({"title": name, "content": "c".repeat(10_000)})
        } else {
            new_post(name)
        };
        post(
            &service,
            "/posts",
            Some(&ada),
            &name.replace(' ', "-"),
            &body,
        )
        .await
    };
    let first = join_all(names.iter().map(&send)).await;
    let ids = first.iter().zip(&names).map(|(answer, name)| {
        assert_first(answer);
        assert_eq!(answer.json()["title"], **name);
        answer.json()["id"].as_i64().unwrap()
    });
    let ids: Vec<i64> = ids.collect();
    let again = join_all(names.iter().map(&send)).await;
    for (first, again) in first.iter().zip(&again) {
        assert_replayed(first, again);
    }

    let vote = async |id: &i64| {
        let body = json!({"post_id": id, "dir": 1});
        post(&service, "/vote", Some(&ada), &format!("vote-{id}"), &body).await
    };
    let first = join_all(ids.iter().map(&vote)).await;
    for (answer, id) in first.iter().zip(&ids) {
        assert_first(answer);
        let expected = json!({"message": "vote added", "post_id": id, "votes": 1});
        assert_eq!(answer.json(), expected);
    }
    let again = join_all(ids.iter().map(&vote)).await;
    for (first, again) in first.iter().zip(&again) {
        assert_replayed(first, again);
    }
}

/// New and repeated requests of several users share a batch, and so does one with the key of another
/// request.
#[apply(behaviour)]
async fn a_repeated_request_does_not_affect_those_of_its_batch(fixture: Fixture) {
    let service = fixture.serve().await;
    let users = [service.user("ada").await, service.user("grace").await];
    let send = async |number: usize, title: &str| {
        let user = &users[number % 2];
        let body = new_post(&format!("{title} {number}"));
        post(&service, "/posts", Some(user), &format!("{number}"), &body).await
    };
    let first = join_all((0..20).map(|number| send(number, "Title"))).await;
    first.iter().for_each(assert_first);
    let both = (0..60).map(|number| match number {
        15..20 => send(number, "Other"),
        _ => send(number, "Title"),
    });
    for (number, answer) in join_all(both).await.iter().enumerate() {
        match number {
            0..15 => assert_replayed(&first[number], answer),
            15..20 => drop(assert_problem(answer, 422, "idempotency-key-reused")),
            _ => assert_first(answer),
        }
    }
    let connection = fixture.connect().await;
    let titles = "SELECT count(DISTINCT title) || ' of ' || count(*) FROM posts";
    assert_eq!(column(&connection, titles).await, ["60 of 60"]);

    let vote = async |number: usize| {
        let body = json!({"post_id": first[number / 2].json()["id"], "dir": 1});
        let user = &users[number % 2];
        post(
            &service,
            "/vote",
            Some(user),
            &format!("vote-{number}"),
            &body,
        )
        .await
    };
    let voted = join_all((0..10).map(&vote)).await;
    voted.iter().for_each(assert_first);
    for (number, answer) in join_all((0..40).map(&vote)).await.iter().enumerate() {
        match voted.get(number) {
            Some(first) => assert_replayed(first, answer),
            None => assert_first(answer),
        }
    }
    let count = "SELECT count(*) FROM votes";
    assert_eq!(column(&connection, count).await, ["40"]);
}

/// The vote exists, and the key is another: that is no repetition.
#[apply(behaviour)]
async fn votes_with_different_keys_count_once(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(service.new_post(&ada, &format!("Title {number}")).await);
    }
    // A batch has several votes for one post.
    let votes = (0..40).map(async |number| {
        let body = json!({"post_id": ids[number % 10], "dir": 1});
        post(&service, "/vote", Some(&ada), &format!("{number}"), &body).await
    });
    let answers = join_all(votes).await;
    let (added, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((added.len(), refused.len()), (10, 30));
    for answer in refused {
        assert_problem(&answer, 409, "already-voted");
    }
    let connection = fixture.connect().await;
    let keys = "SELECT count(*) FROM idempotency_keys";
    assert_eq!(column(&connection, keys).await, ["10"]);
}

#[apply(behaviour)]
async fn a_token_is_not_shown_again(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let new = json!({"name": "Bot", "scopes": ["posts:read"]});
    let first = post(&service, "/tokens", Some(&ada), "key", &new).await;
    assert_first(&first);
    let again = post(&service, "/tokens", Some(&ada), "key", &new).await;
    let problem = assert_problem(&again, 409, "answer-not-stored");
    let path = format!("/tokens/{}", first.json()["id"]);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&path), "{detail}");
    let other = json!({"name": "Other", "scopes": ["posts:read"]});
    let other = post(&service, "/tokens", Some(&ada), "key", &other).await;
    assert_problem(&other, 422, "idempotency-key-reused");
    let connection = fixture.connect().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM tokens", "1".to_owned()),
        (
            "SELECT headers || coalesce(body, '') FROM idempotency_keys",
            format!("location: {path}"),
        ),
    ] {
        assert_eq!(column(&connection, sql).await, [expected]);
    }
}

#[apply(behaviour)]
async fn many_posts_are_created_once(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let rows = json!({"posts": [new_post("one"), {"title": ""}, new_post("two")], "atomic": false});
    let send = async || post(&service, "/posts/bulk", Some(&ada), "key", &rows).await;
    let first = send().await;
    assert_first(&first);
    assert_eq!(
        (&first.json()["created"], &first.json()["failed"]),
        (&json!(2), &json!(1))
    );
    assert_replayed(&first, &send().await);
    // Nothing is stored if nothing is changed.
    let dry = "/posts/bulk?dry_run=true";
    let answer = post(&service, dry, Some(&ada), "dry", &rows).await;
    assert_eq!(answer.expect(200).json()["created"], 2);
    let atomic = json!({"posts": [new_post("three"), {"title": ""}]});
    post(&service, "/posts/bulk", Some(&ada), "dry", &atomic)
        .await
        .problem(422);
    let valid = json!({"posts": [new_post("three")]});
    assert_first(&post(&service, "/posts/bulk", Some(&ada), "dry", &valid).await);
    let posts = service.get("/posts?count=exact", &ada).await;
    assert_eq!(posts.header("x-total-count"), Some("3"));
}
