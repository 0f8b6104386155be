//! Streams of events.

use acclaim::config::Origins;
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{POSTS, Stream, numbered};
use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, Service, User},
};

async fn vote(service: &Service, user: &User, post: i64) {
    let path = format!("/posts/{post}/vote");
    service
        .call("PUT", &path, Some(user), None)
        .await
        .expect(200);
}

#[apply(behaviour)]
async fn a_stream_tells_what_happens(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    numbered(&fixture).await;
    let mut stream = Stream::of(&service, &format!("/events?{POSTS}"), &bob).await;
    let mut votes = Stream::of(&service, "/events?kinds=vote.*&include=post", &ada).await;
    let post = service.new_post(&ada, "One").await;
    assert_eq!(
        stream.told().await,
        format!("post.created post={post} owner=1")
    );
    vote(&service, &ada, post).await;
    assert_eq!(
        stream.told().await,
        format!("vote.added post={post} owner=1 votes=1")
    );
    vote(&service, &bob, post).await;
    // Readers learn of their own votes only.
    assert_eq!(
        stream.told().await,
        format!("vote.added post={post} owner=1 votes=2 user=2")
    );
    assert_eq!(
        votes.told().await,
        format!("vote.added post={post} owner=1 votes=1 user=1")
    );
    let event = votes.next().await.unwrap();
    assert_eq!(event.data["post"]["title"], "One");
    assert_eq!(event.data["post"]["votes"], 2);
    assert_eq!(event.data["post"]["voted"], true);
}

#[apply(behaviour)]
async fn a_stream_resumes(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let path = format!("/events?{POSTS}");
    numbered(&fixture).await;
    let mut stream = Stream::of(&service, &path, &bob).await;
    let first = service.new_post(&ada, "First").await;
    let event = stream.next().await.unwrap();
    assert_eq!(event.data["post_id"], first);
    drop(stream);
    // More than the stream reads at once.
    let mut missed = Vec::new();
    for _ in 0..5 {
        let posts: Vec<_> = (0..100)
            .map(|n| json!({"title": n.to_string(), "content": "-"}))
            .collect();
        let made = service
            .post("/posts/bulk", &ada, json!({"posts": posts}))
            .await
            .expect(201);
        let made = made.json();
        missed.extend(
            made["posts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|post| post["id"].clone()),
        );
    }
    numbered(&fixture).await;
    let request = service.request("GET", &path).bearer_auth(&bob.token);
    let request = request.header("last-event-id", event.id.unwrap());
    let mut stream = Stream::open(request).await;
    let last = service.new_post(&ada, "Last").await;
    missed.push(last.into());
    for id in missed {
        let event = stream.next().await.unwrap();
        assert_eq!(event.name, "post.created");
        assert_eq!(event.data["post_id"], id);
    }
}

#[apply(behaviour)]
async fn a_stream_from_a_removed_position_begins_with_a_reset(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for number in 0..3 {
        service.new_post(&ada, &number.to_string()).await;
    }
    numbered(&fixture).await;
    let remove = "DELETE FROM events WHERE position <= 3";
    fixture
        .connect()
        .await
        .execute_unprepared(remove)
        .await
        .unwrap();
    for after in [1, 99] {
        let path = format!("/events?after={after}&{POSTS}");
        let mut stream = Stream::of(&service, &path, &ada).await;
        let reset = stream.next().await.unwrap();
        assert_eq!(
            (reset.name.as_str(), reset.id.as_deref()),
            ("reset", Some("4"))
        );
        assert_eq!(reset.data, json!({"position": 4}));
    }
    let mut stream = Stream::of(&service, "/events?after=0", &ada).await;
    assert_eq!(stream.next().await.unwrap().data["position"], 4);
}

#[apply(behaviour)]
async fn two_servers_tell_the_same(fixture: Fixture) {
    let one = fixture.serve().await;
    let other = fixture.state(&fixture.database()).await;
    let other = fixture.start(other, Origins::These(Vec::new()));
    let (ada, bob) = (one.user("ada").await, one.user("bob").await);
    numbered(&fixture).await;
    let path = format!("/events?after=0&{POSTS}");
    let mut streams = [
        Stream::of(&one, &path, &bob).await,
        Stream::of(&other, &path, &bob).await,
    ];
    let mut expected = Vec::new();
    for (number, service) in [&one, &other].into_iter().cycle().take(6).enumerate() {
        let post = service.new_post(&ada, &number.to_string()).await;
        expected.push(post);
    }
    let mut found = Vec::new();
    for stream in &mut streams {
        let mut posts = Vec::new();
        for _ in &expected {
            let event = stream.next().await.unwrap();
            posts.push((
                event.data["position"].as_i64().unwrap(),
                event.data["post_id"].as_i64().unwrap(),
            ));
        }
        assert!(posts.is_sorted(), "{posts:?}");
        found.push(posts);
    }
    assert_eq!(found[0], found[1]);
    let posts: Vec<i64> = found[0].iter().map(|(_, post)| *post).collect();
    assert_eq!(posts, expected);
}

#[apply(behaviour)]
async fn a_ticket_opens_one_stream(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let draft = service.new_draft(&ada, "Draft").await;
    numbered(&fixture).await;
    let ticket = service
        .call("POST", "/events/tickets", Some(&ada), None)
        .await
        .expect(201);
    assert_eq!(ticket.header("cache-control"), Some("no-store"));
    assert_eq!(ticket.json()["expires_in"], 30);
    let ticket = ticket.json()["ticket"].as_str().unwrap().to_owned();
    let path = format!("/events?after=0&{POSTS}&ticket={ticket}");
    let mut stream = Stream::open(service.request("GET", &path)).await;
    assert_eq!(
        stream.told().await,
        format!("post.created post={draft} owner=1")
    );
    let used = service.call("GET", &path, None, None).await;
    assert_eq!(used.problem(401)["type"], "/problems/invalid-token");
    // The next page does not repeat it.
    let more = service
        .call("POST", "/events/tickets", Some(&bob), None)
        .await
        .expect(201);
    let path = format!("/events?ticket={}", more.json()["ticket"].as_str().unwrap());
    let page = service.call("GET", &path, None, None).await.expect(200);
    assert!(!super::next(&page).contains("ticket"));
    // It ends with its session, and expires.
    let ticket = async |user: &User| {
        let ticket = service
            .call("POST", "/events/tickets", Some(user), None)
            .await
            .expect(201);
        format!(
            "/events?ticket={}",
            ticket.json()["ticket"].as_str().unwrap()
        )
    };
    let path = ticket(&bob).await;
    let expire = "UPDATE event_tickets SET expires_at = '2026-01-01T00:00:00Z'";
    fixture
        .connect()
        .await
        .execute_unprepared(expire)
        .await
        .unwrap();
    service.call("GET", &path, None, None).await.problem(401);
    let path = ticket(&bob).await;
    service
        .call("POST", "/logout", Some(&bob), None)
        .await
        .expect(204);
    service.call("GET", &path, None, None).await.problem(401);
    service
        .call("POST", "/events/tickets", None, None)
        .await
        .problem(401);
}

#[apply(behaviour)]
async fn a_caller_has_a_hundred_streams(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(Stream::of(&service, "/events", &ada).await);
    }
    let open = async |user: &User| {
        let request = service.request("GET", "/events").bearer_auth(&user.token);
        let request = request.header("accept", "text/event-stream");
        request.send().await.unwrap()
    };
    let refused = Answer::of(open(&ada).await).await;
    assert_eq!(refused.problem(429)["type"], "/problems/too-many-streams");
    assert_eq!(open(&bob).await.status(), 200);
    // HEAD opens none, and pages do not count.
    let head = service.request("HEAD", "/events").bearer_auth(&ada.token);
    let head = head
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    assert_eq!(head.status(), 200);
    service.get("/events", &ada).await.expect(200);
    drop(streams);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while open(&ada).await.status() != 200 {
        assert!(
            std::time::Instant::now() < deadline,
            "the place is not free again"
        );
    }
}
