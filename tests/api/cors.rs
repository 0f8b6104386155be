//! CORS.

use acclaim::config::Origins;

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, Service},
};

const APP: &str = "https://app.example";

async fn preflight(service: &Service, origin: &str) -> Answer {
    let request = service
        .request("OPTIONS", "/posts/1")
        .header("origin", origin)
        .header("access-control-request-method", "PATCH")
        .header(
            "access-control-request-headers",
            "authorization,content-type,idempotency-key,database-position",
        );
    Answer::of(request.send().await.unwrap()).await
}

async fn call(service: &Service, origin: &str) -> Answer {
    let request = service.request("GET", "/posts").header("origin", origin);
    Answer::of(request.send().await.unwrap()).await
}

#[apply(behaviour)]
async fn a_listed_origin_can_call_and_read(fixture: Fixture) {
    let origins = Origins::These(vec![APP.to_owned(), "http://localhost:5173".to_owned()]);
    let service = fixture.serve_as(false, origins).await;
    for origin in [APP, "http://localhost:5173"] {
        let answer = preflight(&service, origin).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(
            ["PUT", "PATCH", "DELETE"]
                .iter()
                .all(|method| methods.contains(method))
        );
        // Errors must be readable too.
        let answer = call(&service, origin).await;
        answer.problem(401);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        let exposed = answer
            .header("access-control-expose-headers")
            .unwrap()
            .to_lowercase();
        for name in [
            "link",
            "location",
            "etag",
            "preference-applied",
            "idempotency-replayed",
            "database-position",
            "x-request-id",
            "retry-after",
            "ratelimit",
            "ratelimit-policy",
        ] {
            assert!(exposed.contains(name), "{exposed}");
        }
    }
    preflight(&service, "https://evil.example")
        .await
        .problem(400);
}

#[apply(behaviour)]
async fn unlisted_origins_are_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let answer = preflight(&service, APP).await;
    answer.problem(400);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let answer = call(&service, APP).await;
    answer.problem(401);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[apply(behaviour)]
async fn a_star_allows_every_origin(fixture: Fixture) {
    let service = fixture.serve_as(false, Origins::Any).await;
    let answer = preflight(&service, APP).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}
