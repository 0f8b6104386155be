//! What readers see of events.

#![expect(clippy::too_many_lines, reason = "one story, seen by every reader")]

use acclaim::config::Origins;
use serde_json::{Value, json};

use super::{Stream, numbered, told};
use crate::harness::column;
use crate::harness::{
    Fixture, apply, behaviour,
    process::run,
    service::{PASSWORD, Service, User},
    wait_for,
};
use crate::webhooks::views::{assert_same_as_pages, delivered};

/// A post of `user`; a draft if its title says so.
async fn post(service: &Service, user: &User, title: &str) -> String {
    let body = json!({"title": title, "content": "-", "published": title != "draft"});
    let made = service.post("/posts", user, body).await.expect(201).json();
    format!("/posts/{}", made["id"])
}

/// Everything that `user`, or an anonymous reader, sees on pages, and the same on a stream.
async fn seen(service: &Service, user: Option<&User>) -> Vec<String> {
    let path = "/events?after=0&limit=100";
    let page = service
        .call("GET", path, user, None)
        .await
        .expect(200)
        .json();
    let page: Vec<String> = page.as_array().unwrap().iter().map(told).collect();
    let mut request = service.request("GET", path);
    if let Some(user) = user {
        request = request.bearer_auth(&user.token);
    }
    let mut stream = Stream::open(request).await;
    let mut streamed = Vec::new();
    for _ in &page {
        streamed.push(stream.told().await);
    }
    assert_eq!(page, streamed);
    page
}

/// Asserts that `reader` sees the post of each event that is not about its end.
async fn see_their_posts(service: &Service, reader: Option<&User>, events: &[String]) {
    let ends =
        |event: &str| event.starts_with("post.deleted") || event.starts_with("post.unpublished");
    for event in events.iter().filter(|event| !ends(event)) {
        let post = event
            .split(' ')
            .find_map(|member| member.strip_prefix("post="));
        if let Some(post) = post {
            let path = format!("/posts/{post}");
            service.call("GET", &path, reader, None).await.expect(200);
        }
    }
}

#[apply(behaviour)]
async fn readers_see_what_they_may_see(fixture: Fixture) {
    let service = fixture.serve_as(true, Origins::These(Vec::new())).await;
    let rosa = service.user("rosa").await;
    let settings = [("DATABASE_URL", fixture.url.as_str())];
    let promotion = ["user", "promote", "rosa", "--role", "admin"];
    assert_eq!(
        run(fixture.folder(), &promotion, &settings).await.code,
        Some(0)
    );
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let (eve, dan) = (service.user("eve").await, service.user("dan").await);
    let mut posts = Vec::new();
    for (owner, title) in [
        (&ada, "stays"),
        (&ada, "draft"),
        (&ada, "draft"),
        (&ada, "becomes a draft"),
        (&ada, "is deleted"),
        (&eve, "of a suspended user"),
        (&eve, "draft"),
        (&dan, "of a deleted user"),
    ] {
        posts.push(post(&service, owner, title).await);
    }
    for (voter, post) in [
        (&bob, 0),
        (&bob, 3),
        (&bob, 5),
        (&bob, 7),
        (&eve, 0),
        (&dan, 0),
    ] {
        let vote = format!("{}/vote", posts[post]);
        service
            .call("PUT", &vote, Some(voter), None)
            .await
            .expect(200);
    }
    let change = async |user: &User, path: &str, body: Value| {
        service
            .call("PATCH", path, Some(user), Some(body))
            .await
            .expect(200);
    };
    change(&ada, &posts[3], json!({"published": false})).await;
    for deleted in [2, 4] {
        service
            .call("DELETE", &posts[deleted], Some(&ada), None)
            .await
            .expect(204);
    }
    change(&bob, "/users/me", json!({"username": "robert"})).await;
    let address = json!({"email": "lovelace@example.com", "current_password": PASSWORD});
    change(&ada, "/users/me", address).await;
    let second = service.sign_in("ada", PASSWORD).await;
    service
        .call("POST", "/logout", Some(&second), None)
        .await
        .expect(204);
    let new = json!({"name": "reader", "scopes": ["events:read"]});
    let token = service
        .post("/tokens", &ada, new.clone())
        .await
        .expect(201)
        .json();
    let path = format!("/tokens/{}", token["id"]);
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    let token = service.post("/tokens", &ada, new).await.expect(201).json();
    let token = User {
        token: token["token"].as_str().unwrap().to_owned(),
        ..ada.clone()
    };
    let suspension = format!("/users/{}/suspension", eve.id);
    service
        .call("PUT", &suspension, Some(&rosa), Some(json!({})))
        .await
        .expect(200);
    let password = json!({"current_password": PASSWORD});
    service
        .call("DELETE", "/users/me", Some(&dan), Some(password))
        .await
        .expect(204);
    let connection = fixture.connect().await;
    let users = "SELECT username FROM users ORDER BY id";
    wait_for(&connection, users, &["rosa", "ada", "robert", "eve"]).await;
    numbered(&fixture).await;

    // 1 is rosa, 2 ada, 3 bob, 4 eve, 5 dan.
    let all = |text: &str| -> Vec<String> { text.lines().map(|it| it.trim().to_owned()).collect() };
    let public = all("user.created user=1
        user.created user=2
        user.created user=3
        user.created user=4
        post.created post=1 owner=2
        vote.added post=1 owner=2 votes=2
        vote.added post=1 owner=2 votes=2
        vote.added post=1 owner=2 votes=2
        post.deleted post=4 owner=2
        post.deleted post=5 owner=2
        user.updated user=3
        post.deleted owner=4
        user.deleted user=5
        vote.removed post=1 owner=2 votes=2
        post.deleted post=8 owner=5");
    let found = seen(&service, None).await;
    assert_eq!(found, public);
    see_their_posts(&service, None, &found).await;

    let of_bob: Vec<String> = {
        let mut own = public.clone();
        own[5].push_str(" user=3");
        own
    };
    let found = seen(&service, Some(&bob)).await;
    assert_eq!(found, of_bob);
    see_their_posts(&service, Some(&bob), &found).await;

    let posts_of_ada = all("user.created user=1
        user.created user=2
        user.created user=3
        user.created user=4
        post.created post=1 owner=2
        post.created post=2 owner=2
        post.created post=4 owner=2
        vote.added post=1 owner=2 votes=2
        vote.added post=4 owner=2 votes=1
        vote.added post=1 owner=2 votes=2
        vote.added post=1 owner=2 votes=2
        post.unpublished post=4 owner=2
        post.deleted post=3 owner=2
        post.deleted post=5 owner=2
        user.updated user=3
        post.deleted owner=4
        user.deleted user=5
        vote.removed post=1 owner=2 votes=2
        post.deleted post=8 owner=5");
    let found = seen(&service, Some(&token)).await;
    assert_eq!(found, posts_of_ada);
    see_their_posts(&service, Some(&ada), &found).await;

    let found = seen(&service, Some(&ada)).await;
    let own =
        |event: &String| event.starts_with("session.ended") || event.starts_with("token.revoked");
    let account: Vec<_> = found.iter().filter(|event| own(event)).collect();
    assert_eq!(account.len(), 2, "{found:?}");
    assert!(
        account[0].starts_with("session.ended session="),
        "{account:?}"
    );
    assert_eq!(account[1], "token.revoked token=1");
    let others: Vec<_> = found.iter().filter(|event| !own(event)).cloned().collect();
    let mut of_ada = posts_of_ada;
    of_ada.insert(15, "user.updated user=2".to_owned());
    assert_eq!(others, of_ada);

    let found = seen(&service, Some(&rosa)).await;
    let mut of_rosa = public;
    of_rosa.insert(1, "user.updated user=1".to_owned());
    of_rosa.insert(2, "moderation.change_role audit_entry=1".to_owned());
    let suspended = of_rosa
        .iter()
        .position(|event| event == "post.deleted owner=4")
        .unwrap();
    of_rosa.insert(
        suspended + 1,
        "moderation.suspend_user audit_entry=2".to_owned(),
    );
    let known = |event: &String| !event.starts_with("session.ended");
    let found: Vec<_> = found.into_iter().filter(known).collect();
    assert_eq!(found, of_rosa);

    // Endpoints get the same.
    for reader in [&ada, &bob, &rosa] {
        assert_same_as_pages(&service, reader).await;
    }
    // An admin's endpoint for everything gets all of the log, but not the users who vote.
    let count = "SELECT count(*) FROM events";
    let count = column(&connection, count).await[0].parse().unwrap();
    let everything = json!({"everything": true});
    let found = delivered(&service, &rosa, everything, count).await;
    assert!(
        found.contains(&"post.created post=2 owner=2".to_owned()),
        "{found:?}"
    );
    assert!(
        found.contains(&"user.suspended user=4".to_owned()),
        "{found:?}"
    );
    let votes = found.iter().filter(|event| event.starts_with("vote."));
    // Six votes, and two that went with an account.
    assert_eq!(votes.clone().count(), 8, "{found:?}");
    assert!(
        votes.clone().all(|vote| !vote.contains("user=")),
        "{found:?}"
    );

    // The end of the suspension shows the posts again.
    service
        .call("DELETE", &suspension, Some(&rosa), Some(json!({})))
        .await
        .expect(200);
    numbered(&fixture).await;
    let found = seen(&service, None).await;
    assert!(
        found.contains(&"post.created post=6 owner=4".to_owned()),
        "{found:?}"
    );
    assert_eq!(found.last().unwrap(), "post.published owner=4");
    see_their_posts(&service, None, &found).await;
}
