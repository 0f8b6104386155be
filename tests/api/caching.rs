//! `Cache-Control` and `Vary`.

use acclaim::config::Origins;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, PASSWORD, Service, User},
};

const PRIVATE: Option<&str> = Some("private, no-cache");
const PUBLIC: Option<&str> = Some("public, no-cache");

/// The members of `Vary` in lower case.
fn vary(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all("vary").iter();
    lines
        .flat_map(|line| line.to_str().expect("not ASCII").split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

async fn get(service: &Service, path: &str, user: Option<&User>, tag: &str) -> Answer {
    let mut request = service.request("GET", path).header("if-none-match", tag);
    if let Some(user) = user {
        request = request.bearer_auth(&user.token);
    }
    let request = request.header("origin", "https://app.example");
    Answer::of(request.send().await.expect("no answer")).await
}

#[apply(behaviour)]
async fn shared_caches_store_only_answers_without_a_token(fixture: Fixture) {
    let listed = Origins::These(vec!["https://app.example".to_owned()]);
    let service = fixture.serve_as(true, listed).await;
    let ada = service.user("ada").await;
    let path = format!("/posts/{}", service.new_post(&ada, "Title").await);
    for path in ["/posts", &path] {
        for (user, caching) in [(Some(&ada), PRIVATE), (None, PUBLIC)] {
            let answer = get(&service, path, user, "\"none\"").await.expect(200);
            let tag = answer.header("etag").expect("no ETag");
            // RFC 9110, section 15.4.5: a 304 has the headers that a cache needs.
            let unchanged = get(&service, path, user, tag).await.expect(304);
            for answer in [&answer, &unchanged] {
                assert_eq!(answer.header("cache-control"), caching, "{path}");
                let vary = vary(answer);
                for name in ["authorization", "origin"] {
                    assert!(vary.iter().any(|other| other == name), "{vary:?}");
                }
            }
        }
    }
    // Credentials of another scheme count as none.
    let other = service.request("GET", &path).basic_auth("ada", Some("x"));
    let other = Answer::of(other.send().await.expect("no answer")).await;
    assert_eq!(other.expect(200).header("cache-control"), PUBLIC);
}

/// Every answer is `no-store` unless its row names another value, so that a new route is private.
#[apply(behaviour)]
async fn every_other_answer_is_no_store(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let admin = "UPDATE users SET role = 'admin'";
    let connection = fixture.connect().await;
    connection.execute_unprepared(admin).await.expect(admin);
    let admin = service.sign_in("ada", PASSWORD).await;
    let document = service.call("GET", "/openapi.json", None, None).await;
    let document = document.expect(200).json();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().expect("no paths") {
        for method in item.as_object().expect("no operations").keys() {
            let method = method.to_uppercase();
            // These end the session.
            if path == "/logout" || (path == "/sessions" && method == "DELETE") {
                continue;
            }
            let body = (method != "GET").then(|| json!({"title": "t", "content": "c"}));
            let post = service.new_post(&admin, "Title").await;
            let url = path.replace("{slug}", "not-found");
            let url = url.replace("{id}", &post.to_string());
            let answer = service.call(&method, &url, Some(&admin), body).await;
            let caching = match path.as_str() {
                "/.well-known/jwks.json" => "public, max-age=300",
                "/posts" | "/posts/{id}" | "/posts/by-external-id/{external_id}"
                    if answer.status < 300 && method != "DELETE" =>
                {
                    "private, no-cache"
                }
                _ => "no-store",
            };
            let context = format!("{method} {path}: {}", answer.status);
            assert_eq!(answer.header("cache-control"), Some(caching), "{context}");
            seen += usize::from(answer.status < 300);
        }
    }
    assert!(seen >= 20, "only {seen} answers were successes");
    for (method, path) in [
        ("GET", "/nothing"),
        ("BREW", "/posts"),
        ("GET", "/posts/999"),
        ("GET", "/posts?limit=x"),
        ("GET", "/docs/nothing.js"),
    ] {
        let answer = service.call(method, path, Some(&admin), None).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}
