//! Pages of events.

use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{POSTS, all, next, numbered, told};
use crate::harness::{Fixture, apply, behaviour, column, service::Answer};

#[apply(behaviour)]
async fn changes_are_events_in_the_order_of_their_commits(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let post = service.new_post(&ada, "One").await;
    let path = format!("/posts/{post}");
    let vote = format!("{path}/vote");
    service
        .call("PUT", &vote, Some(&bob), None)
        .await
        .expect(200);
    // Changes nothing.
    service
        .call("PUT", &vote, Some(&bob), None)
        .await
        .expect(200);
    for body in [
        json!({"title": "Two"}),
        json!({"published": false}),
        json!({"published": true}),
    ] {
        service
            .call("PATCH", &path, Some(&ada), Some(body))
            .await
            .expect(200);
    }
    service
        .call("DELETE", &vote, Some(&bob), None)
        .await
        .expect(200);
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    let second = service.new_draft(&ada, "Draft").await;
    numbered(&fixture).await;
    assert_eq!(
        all(&service, "/events?after=0", &ada).await,
        [
            "user.created user=1".to_owned(),
            "user.created user=2".to_owned(),
            format!("post.unpublished post={post} owner=1"),
            format!("post.deleted post={post} owner=1"),
            format!("post.created post={second} owner=1"),
        ]
    );
    // The vote of bob and the changes before are no longer visible, because the post is gone.
    assert_eq!(
        all(&service, "/events?after=0", &bob).await,
        [
            "user.created user=1".to_owned(),
            "user.created user=2".to_owned(),
            format!("post.deleted post={post} owner=1"),
            format!("post.deleted post={post} owner=1"),
        ]
    );
    let kinds = "SELECT kind FROM events WHERE kind NOT LIKE 'user.%' ORDER BY position";
    assert_eq!(
        column(&fixture.connect().await, kinds).await,
        [
            "post.created",
            "vote.added",
            "post.updated",
            "post.unpublished",
            "post.published",
            "vote.removed",
            "post.deleted",
            "post.created",
        ]
    );
}

#[apply(behaviour)]
async fn filters_select_events(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let tagged = json!({"title": "Tagged", "content": "-", "tags": ["engines", "looms"]});
    let tagged = service
        .post("/posts", &ada, tagged)
        .await
        .expect(201)
        .json();
    let tagged = tagged["id"].as_i64().unwrap();
    let other = service.new_post(&bob, "Other").await;
    let vote = format!("/posts/{tagged}/vote");
    service
        .call("PUT", &vote, Some(&bob), None)
        .await
        .expect(200);
    numbered(&fixture).await;
    let created = format!("post.created post={tagged} owner=1");
    let voted = format!("vote.added post={tagged} owner=1 votes=1");
    let others = format!("post.created post={other} owner=2");
    let joined = |id: i64| format!("user.created user={id}");
    for (filter, expected) in [
        (POSTS.to_owned(), vec![&created, &others, &voted]),
        ("kinds=vote.added".to_owned(), vec![&voted]),
        (
            "kinds=post.created,user.*".to_owned(),
            vec![&joined(1), &joined(2), &created, &others],
        ),
        ("owner_id=2".to_owned(), vec![&joined(2), &others]),
        (format!("post_id={tagged}"), vec![&created, &voted]),
        ("tag=looms".to_owned(), vec![&created, &voted]),
        ("tag=loom".to_owned(), vec![]),
        ("tag=looms&kinds=vote.*&owner_id=1".to_owned(), vec![&voted]),
        ("post_id=99".to_owned(), vec![]),
    ] {
        let found = all(&service, &format!("/events?after=0&{filter}"), &ada).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter}");
    }
    // The tags of a deleted post are gone, so it passes every filter by tag.
    let path = format!("/posts/{tagged}");
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    numbered(&fixture).await;
    let deleted = format!("post.deleted post={tagged} owner=1");
    assert_eq!(
        all(&service, "/events?after=0&tag=looms", &bob).await,
        [deleted]
    );
}

#[apply(behaviour)]
async fn pages_follow_each_other(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let end = service.get("/events", &ada).await.expect(200);
    let mut posts = Vec::new();
    for number in 0..7 {
        posts.push(service.new_post(&ada, &number.to_string()).await);
    }
    numbered(&fixture).await;
    let expected: Vec<_> = posts
        .iter()
        .map(|id| format!("post.created post={id} owner=1"))
        .collect();
    let path = format!("/events?after=0&limit=3&{POSTS}");
    let first = service.get(&path, &ada).await.expect(200);
    assert_eq!(
        first
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(told)
            .collect::<Vec<_>>(),
        expected[..3]
    );
    assert_eq!(
        first
            .header("vary")
            .map(|it| it.starts_with("Accept, Authorization")),
        Some(true)
    );
    assert_eq!(all(&service, &path, &ada).await, expected);
    // Without a position, a page begins at the present end of the log.
    assert_eq!(end.text, "[]");
    assert_eq!(all(&service, &next(&end), &ada).await, expected);
    // The header of a browser replaces the parameter.
    let after = first.json()[1]["position"].to_string();
    let request = service.request("GET", &path).bearer_auth(&ada.token);
    let answer = request.header("last-event-id", after).send().await.unwrap();
    let answer = Answer::of(answer).await.expect(200).json();
    assert_eq!(told(&answer[0]), expected[2]);
    for (path, status) in [
        ("/events?after=-1", 422),
        ("/events?after=x", 422),
        ("/events?kinds=post", 422),
        ("/events?kinds=", 422),
        ("/events?include=vote", 422),
        ("/events?limit=101", 422),
        ("/events?tag=A", 422),
    ] {
        service.get(path, &ada).await.problem(status);
    }
    let request = service.request("GET", "/events").bearer_auth(&ada.token);
    let answer = request.header("last-event-id", "x").send().await.unwrap();
    Answer::of(answer).await.problem(400);
}

#[apply(behaviour)]
async fn a_page_has_the_present_posts(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let post = service.new_post(&ada, "Before").await;
    let path = format!("/posts/{post}");
    let vote = format!("{path}/vote");
    service
        .call("PUT", &vote, Some(&bob), None)
        .await
        .expect(200);
    let edit = json!({"title": "After"});
    service
        .call("PATCH", &path, Some(&ada), Some(edit))
        .await
        .expect(200);
    let gone = service.new_post(&ada, "Gone").await;
    service
        .call("DELETE", &format!("/posts/{gone}"), Some(&ada), None)
        .await
        .expect(204);
    numbered(&fixture).await;
    let path = format!("/events?after=0&include=post&{POSTS}");
    let events = service.get(&path, &bob).await.expect(200).json();
    let mut titles = Vec::new();
    for event in events.as_array().unwrap() {
        assert!(event["post"].is_null() || event["post"]["voted"] == true);
        titles.push(event["post"]["title"].as_str().unwrap_or("none"));
    }
    assert_eq!(titles, ["After", "After", "After", "none"]);
    // Other readers see their own view of the same post.
    let events = service.get(&path, &ada).await.expect(200).json();
    assert_eq!(events[0]["post"]["voted"], false);
}

/// `count` changes of one row, past the service.
async fn fill(fixture: &Fixture, count: u32) {
    let numbers = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
    );
    let at = if fixture.is_postgres() {
        "now()"
    } else {
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    };
    let sql = format!(
        "{numbers} INSERT INTO events (at, kind, subject_id, actor_id)
         SELECT {at}, 'session.ended', n, 99 FROM numbers"
    );
    fixture
        .connect()
        .await
        .execute_unprepared(&sql)
        .await
        .unwrap();
}

#[apply(behaviour)]
async fn a_page_looks_at_a_bounded_part_of_the_log(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    numbered(&fixture).await;
    fill(&fixture, 12_000).await;
    let post = service.new_post(&ada, "After many").await;
    numbered(&fixture).await;
    let mut path = format!("/events?after=1&{POSTS}");
    let mut pages = 0;
    let found = loop {
        let page = service.get(&path, &ada).await.expect(200);
        pages += 1;
        let events = page.json();
        if let Some(event) = events.as_array().unwrap().first() {
            break told(event);
        }
        assert_ne!(next(&page), path);
        path = next(&page);
    };
    assert_eq!(found, format!("post.created post={post} owner=1"));
    assert_eq!(pages, 1);
    // Without kinds the rows themselves are read.
    let page = service.get("/events?after=1", &ada).await.expect(200);
    assert_eq!(
        (page.text.as_str(), next(&page).as_str()),
        ("[]", "/events?after=5001")
    );
}

#[apply(behaviour)]
async fn a_position_that_is_not_kept_is_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for number in 0..4 {
        service.new_post(&ada, &number.to_string()).await;
    }
    numbered(&fixture).await;
    let connection = fixture.connect().await;
    let remove = "DELETE FROM events WHERE position <= 3";
    connection.execute_unprepared(remove).await.unwrap();
    for position in [1, 2, 99] {
        let path = format!("/events?after={position}");
        let problem = service.get(&path, &ada).await.problem(410);
        assert_eq!(problem["type"], "/problems/events-expired");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("continue after position 5"), "{detail}");
    }
    for position in [0, 3] {
        let path = format!("/events?after={position}");
        assert_eq!(all(&service, &path, &ada).await.len(), 2);
    }
}
