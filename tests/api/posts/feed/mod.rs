//! `GET /posts`

mod expensive;
mod filters;
pub mod paging;
mod shared;

use acclaim::config::Origins;
use serde_json::Value;

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Service, User},
};

async fn titles(service: &Service, query: &str, user: &User) -> Vec<String> {
    let list = service
        .get(&format!("/posts{query}"), user)
        .await
        .expect(200)
        .json();
    let title = |post: &Value| post["title"].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(title).collect()
}

#[apply(behaviour)]
async fn lists_show_the_newest_posts_first(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    assert!(titles(&service, "", &ada).await.is_empty());
    for title in ["one", "two", "three"] {
        service.new_post(&ada, title).await;
    }
    assert_eq!(titles(&service, "", &ada).await, ["three", "two", "one"]);
    assert_eq!(
        titles(&service, "?sort=new", &ada).await,
        ["three", "two", "one"]
    );
    assert_eq!(
        titles(&service, "?sort=old", &ada).await,
        ["one", "two", "three"]
    );
}

#[apply(behaviour)]
async fn limit_and_skip_select_a_page(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for number in 1..=12 {
        service.new_post(&ada, &number.to_string()).await;
    }
    assert_eq!(titles(&service, "", &ada).await.len(), 10);
    assert_eq!(titles(&service, "?limit=100", &ada).await.len(), 12);
    assert_eq!(
        titles(&service, "?limit=2&skip=3&sort=old", &ada).await,
        ["4", "5"]
    );
    assert_eq!(
        titles(&service, "/?limit=5&skip=10&sort=old", &ada).await,
        ["11", "12"]
    );
    assert!(titles(&service, "?skip=10000", &ada).await.is_empty());
    let refused = service.get("/posts?skip=10001", &ada).await;
    assert_eq!(refused.field_errors(), ["skip range"]);
    let detail = refused.json()["detail"].clone();
    assert!(detail.as_str().unwrap().contains("`cursor`"), "{detail}");
}

#[apply(behaviour)]
async fn lists_filter_by_owner_and_published(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    service.new_post(&ada, "ada's").await;
    service.new_post(&bob, "bob's").await;
    service.new_draft(&ada, "ada's draft").await;
    service.new_draft(&bob, "bob's draft").await;
    let owner = format!("?owner_id={}", ada.id);
    assert_eq!(titles(&service, &owner, &bob).await, ["ada's"]);
    assert_eq!(
        titles(&service, &owner, &ada).await,
        ["ada's draft", "ada's"]
    );
    assert_eq!(
        titles(&service, "?published=false", &ada).await,
        ["ada's draft"]
    );
    assert_eq!(
        titles(&service, "?published=true", &ada).await,
        ["bob's", "ada's"]
    );
    assert_eq!(
        titles(&service, "", &ada).await,
        ["ada's draft", "bob's", "ada's"]
    );
    assert!(titles(&service, "?owner_id=42", &ada).await.is_empty());
}

#[apply(behaviour)]
async fn invalid_query_parameters_are_reported(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let long = format!("search={}", "x".repeat(1001));
    for (query, errors) in [
        ("limit=0&skip=-1", vec!["limit range", "skip range"]),
        ("limit=101", vec!["limit range"]),
        (
            "limit=x&owner_id=&sort=best",
            vec!["limit type", "owner_id type", "sort unknown_value"],
        ),
        (
            "skip=9223372036854775808&published=1",
            vec!["published type", "skip type"],
        ),
        ("limit=1&limit=2", vec!["limit duplicate"]),
        (
            "owner_id=0&search=%00",
            vec!["owner_id range", "search nul"],
        ),
        (&long, vec!["search length"]),
    ] {
        assert_eq!(
            service
                .get(&format!("/posts?{query}"), &ada)
                .await
                .field_errors(),
            errors
        );
    }
}

#[apply(behaviour)]
async fn reading_needs_a_token_unless_reads_are_public(fixture: Fixture) {
    let closed = fixture.serve().await;
    let ada = closed.user("ada").await;
    let post = closed.new_post(&ada, "Public").await;
    closed.new_draft(&ada, "Private").await;
    closed
        .call("PUT", &format!("/posts/{post}/vote"), Some(&ada), None)
        .await
        .expect(200);
    closed.call("GET", "/posts", None, None).await.problem(401);
    closed
        .call("GET", &format!("/posts/{post}"), None, None)
        .await
        .problem(401);

    let open = fixture.serve_as(true, Origins::These(Vec::new())).await;
    let list = open
        .call("GET", "/posts", None, None)
        .await
        .expect(200)
        .json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(
        (&list[0]["votes"], &list[0]["voted"]),
        (&1.into(), &false.into())
    );
    open.call("GET", &format!("/posts/{post}"), None, None)
        .await
        .expect(200);
    open.call("GET", "/posts?published=false", None, None)
        .await
        .expect(200);
    assert_eq!(
        open.get("/posts", &ada)
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let bad = User {
        token: "x".to_owned(),
        ..ada
    };
    open.get("/posts", &bad).await.problem(401);
}
