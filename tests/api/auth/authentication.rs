//! Bearer authentication: missing, invalid and deleted credentials.

use serde_json::json;

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, PASSWORD, Service, User},
};

async fn authorized(service: &Service, value: &str) -> Answer {
    let request = service
        .request("GET", "/users/me")
        .header("authorization", value);
    Answer::of(request.send().await.unwrap()).await
}

#[apply(behaviour)]
async fn a_missing_and_an_invalid_token_are_challenged_differently(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let none = service.call("GET", "/users/me", None, None).await;
    none.problem(401);
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    let basic = authorized(&service, "Basic Og==").await;
    basic.problem(401);
    assert_eq!(basic.header("www-authenticate"), Some("Bearer"));
    for bad in ["Bearer", "Bearer x", "bearer a.b.c"] {
        let answer = authorized(&service, bad).await;
        answer.problem(401);
        assert_eq!(
            answer.header("www-authenticate"),
            Some(r#"Bearer error="invalid_token""#)
        );
    }
    authorized(&service, &format!("bEARER  {}", ada.token))
        .await
        .expect(200);
}

async fn delete(service: &Service, user: &User) {
    let body = json!({"current_password": PASSWORD});
    let deletion = service.call("DELETE", "/users/me", Some(user), Some(body));
    deletion.await.expect(204);
}

#[apply(behaviour)]
async fn a_token_of_a_deleted_user_is_refused_everywhere(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let post = service.new_post(&bob, "Bob's").await;
    delete(&service, &ada).await;
    // The id of a deleted user is never assigned again.
    assert!(service.user("eve").await.id > bob.id);
    let new = json!({"title": "t", "content": "c"});
    for (method, path, body) in [
        ("GET", "/users/me".to_owned(), None),
        ("GET", format!("/users/{}", bob.id), None),
        ("GET", "/posts".to_owned(), None),
        ("GET", format!("/posts/{post}"), None),
        ("POST", "/posts".to_owned(), Some(new.clone())),
        ("PUT", format!("/posts/{post}"), Some(new.clone())),
        ("PATCH", format!("/posts/{post}"), Some(new)),
        ("DELETE", format!("/posts/{post}"), None),
        (
            "POST",
            "/vote".to_owned(),
            Some(json!({"post_id": post, "dir": 1})),
        ),
        ("PUT", format!("/posts/{post}/vote"), None),
        ("DELETE", format!("/posts/{post}/vote"), None),
    ] {
        let answer = service.call(method, &path, Some(&ada), body).await;
        answer.problem(401);
        assert_eq!(
            answer.header("www-authenticate"),
            Some(r#"Bearer error="invalid_token""#)
        );
    }
    assert_eq!(
        service
            .get("/posts", &bob)
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[apply(behaviour)]
async fn credentials_are_checked_before_input(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    delete(&service, &ada).await;
    for user in [None, Some(&ada)] {
        for (method, path) in [
            ("POST", "/posts"),
            ("PUT", "/posts/abc"),
            ("PATCH", "/posts/42"),
            ("DELETE", "/posts/abc"),
            ("GET", "/posts?limit=x"),
            ("POST", "/vote"),
        ] {
            let body = (method != "GET").then(|| json!({"title": 5}));
            service.call(method, path, user, body).await.problem(401);
        }
    }
}
