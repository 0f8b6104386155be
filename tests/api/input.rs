//! Input that several parsers would read differently.

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, Service, User},
};

async fn send(service: &Service, user: &User, route: &str, body: &str) -> Answer {
    let (method, path) = route.split_once(' ').expect("no method");
    let request = service.request(method, path).bearer_auth(&user.token);
    let request = request.header("content-type", "application/json");
    let sent = request.body(body.to_owned()).send().await;
    Answer::of(sent.expect("no answer")).await
}

#[apply(behaviour)]
async fn a_repeated_member_of_json_is_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    service.new_post(&ada, "Title").await;
    for (route, body, errors) in [
        (
            "POST /posts",
            r#"{"title": "a", "content": "c", "title": "b"}"#,
            &["title duplicate"][..],
        ),
        (
            "PUT /posts/1",
            r#"{"title": "a", "content": "c", "tags": [], "tags": []}"#,
            &["tags duplicate"],
        ),
        (
            "PATCH /posts/1",
            r#"{"title": "a", "\u0074itle": "a"}"#,
            &["title duplicate"],
        ),
        (
            "POST /vote",
            r#"{"post_id": 1, "dir": 0, "dir": 1}"#,
            &["dir duplicate"],
        ),
        (
            "POST /login",
            r#"{"username": "ada", "username": "bob", "password": "correct horse"}"#,
            &["username duplicate"],
        ),
        (
            "POST /users",
            r#"{"email": "b@example.com", "password": "correct horse", "password": "x"}"#,
            &["password duplicate"],
        ),
        (
            "POST /tokens",
            r#"{"name": "n", "name": "n", "scopes": ["account"], "scopes": 1}"#,
            &["name duplicate", "scopes duplicate"],
        ),
        // With the errors of the other members, and instead of those of the repeated one.
        (
            "POST /posts",
            r#"{"title": "", "title": 1, "published": "no"}"#,
            &["content required", "published type", "title duplicate"],
        ),
        // Unknown members are ignored, but only once.
        (
            "POST /posts",
            r#"{"title": "a", "content": "c", "x": 1, "x": 1}"#,
            &["x duplicate"],
        ),
        (
            "POST /posts",
            r#"{"title": "a", "content": "c", "x": [{"y": {"z": 1, "z": 1}}]}"#,
            &["x duplicate"],
        ),
    ] {
        let answer = send(&service, &ada, route, body).await;
        assert_eq!(answer.field_errors(), errors, "{body}");
    }
    let posts = service.get("/posts", &ada).await.expect(200).json();
    assert_eq!(posts[0]["version"], 1);
    assert_eq!(posts.as_array().map(Vec::len), Some(1));
    // The same name in different objects is no repetition.
    let body = r#"{"title": "a", "content": "c", "x": {"title": 1}, "y": [{"a": 1}, {"a": 1}]}"#;
    send(&service, &ada, "POST /posts", body).await.expect(201);
}

#[apply(behaviour)]
async fn an_id_has_one_spelling(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let (one, two) = (
        service.new_post(&ada, "One").await,
        service.new_post(&ada, "Two").await,
    );
    assert_eq!((ada.id, one, two), (1, 1, 2));
    for id in ["+1", "%2B1", "01", "0001", "1%20", "%201", "0x1", "1e0"] {
        for route in [
            "GET /posts/{id}",
            "PUT /posts/{id}",
            "PATCH /posts/{id}",
            "DELETE /posts/{id}",
            "PUT /posts/{id}/vote",
            "DELETE /posts/{id}/vote",
            "GET /users/{id}",
            "DELETE /sessions/{id}",
            "DELETE /tokens/{id}",
        ] {
            let answer = send(&service, &ada, &route.replace("{id}", id), "{}").await;
            assert_eq!(answer.field_errors(), ["id type"], "{route} of {id}");
        }
        for name in ["owner_id", "limit", "skip"] {
            let answer = service.get(&format!("/posts?{name}={id}"), &ada).await;
            assert_eq!(answer.field_errors(), [format!("{name} type")], "{id}");
        }
    }
    service.get("/posts/1", &ada).await.expect(200);
    let listed = service.get("/posts?owner_id=1&skip=0&limit=10", &ada).await;
    assert_eq!(listed.expect(200).json().as_array().map(Vec::len), Some(2));
}

#[apply(behaviour)]
async fn a_repeated_header_is_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    for (first, second) in [(&ada, &bob), (&ada, &ada)] {
        let request = service.request("GET", "/users/me");
        let request = request.bearer_auth(&first.token).bearer_auth(&second.token);
        let answer = Answer::of(request.send().await.expect("no answer")).await;
        let problem = answer.problem(400);
        assert_eq!(
            problem["detail"],
            "the header `Authorization` must occur only once"
        );
    }
    for codings in [["identity", "gzip"], ["gzip", "identity"]] {
        let mut request = service.request("POST", "/posts").bearer_auth(&ada.token);
        for coding in codings {
            request = request.header("content-encoding", coding);
        }
        let request = request.header("content-type", "application/json");
        let sent = request.body("{}").send().await.expect("no answer");
        Answer::of(sent).await.problem(415);
    }
}
