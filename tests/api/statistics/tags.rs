//! `GET /tags`

use serde_json::{Value, json};

use super::{patch, suspend, tagged};
use crate::{
    events::next,
    harness::{Fixture, apply, behaviour, statistics::folded},
};

#[apply(behaviour)]
async fn tags_are_listed_most_used_first_in_pages(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for tags in [
        &["x-1", "b", "a"][..],
        &["b", "a"],
        &["b", "x1"],
        &["x-2", "0"],
    ] {
        tagged(&service, &ada, tags).await;
    }
    folded(&fixture).await;
    let (mut path, mut found) = ("/tags?limit=2".to_owned(), Vec::new());
    loop {
        let page = service.get(&path, &ada).await.expect(200);
        let tags = page.json()["tags"].as_array().unwrap().clone();
        assert!(tags.len() <= 2);
        found.extend(tags);
        if page.header("link").is_none() {
            break;
        }
        path = next(&page);
    }
    let expected = [
        ("b", 3),
        ("a", 2),
        ("0", 1),
        ("x-1", 1),
        ("x-2", 1),
        ("x1", 1),
    ];
    let expected = expected.map(|(tag, posts)| json!({"tag": tag, "posts": posts}));
    assert_eq!(found, expected);
    for cursor in ["", "1", "x.a", "1.A", "-1.a", "1234567890123456789.a"] {
        let path = format!("/tags?cursor={cursor}");
        service.get(&path, &ada).await.problem(422);
    }
    let page = service.get("/tags?cursor=1.x1", &ada).await.expect(200);
    assert_eq!(page.json()["tags"], json!([]));
}

#[apply(behaviour)]
async fn hidden_posts_never_show_their_tags(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let post = tagged(&service, &ada, &["secret"]).await;
    tagged(&service, &bob, &["gone"]).await;
    let connection = fixture.connect().await;
    let tags = async || -> Value {
        folded(&fixture).await;
        service.get("/tags", &ada).await.expect(200).json()["tags"].take()
    };
    let one = |tag: &str| json!({"tag": tag, "posts": 1});
    assert_eq!(tags().await, json!([one("gone"), one("secret")]));
    patch(&service, &ada, post, json!({"published": false})).await;
    suspend(&connection, bob.id, true).await;
    assert_eq!(tags().await, json!([]));
    patch(&service, &ada, post, json!({"tags": ["other"]})).await;
    assert_eq!(tags().await, json!([]));
    patch(&service, &ada, post, json!({"published": true})).await;
    assert_eq!(tags().await, json!([one("other")]));
}
