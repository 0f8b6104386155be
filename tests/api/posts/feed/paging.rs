//! Paging through lists by cursor.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::Value;

use crate::harness::{
    Fixture, apply, behaviour, column,
    service::{Answer, Service, User},
};

/// Posts that `fill` adds.
pub const POSTS: u16 = 2000;

/// Adds posts with many equal votes and dates, in an order unrelated to their ids.
pub async fn fill(fixture: &Fixture, connection: &DatabaseConnection) {
    let (series, text, moment) = if fixture.is_postgres() {
        (
            "generate_series(1, {POSTS}) AS s (n)",
            "n::text",
            "to_timestamp(1790000000 + n * 7919 % 1000)",
        )
    } else {
        (
            "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {POSTS}) SELECT n FROM s)",
            "CAST(n AS text)",
            "strftime('%Y-%m-%dT%H:%M:%SZ', 1790000000 + n * 7919 % 1000, 'unixepoch')",
        )
    };
    let series = series.replace("{POSTS}", &POSTS.to_string());
    let fill = format!(
        "INSERT INTO posts (owner_id, title, content, published, votes, tags, created_at, updated_at)
         SELECT 1, {text}, 'Words.', n % 50 <> 0, n * 31 % 97, CASE WHEN n % 3 = 0 THEN 'third' ELSE '' END,
             {moment}, {moment} FROM {series}"
    );
    connection
        .execute_unprepared(&fill)
        .await
        .expect("cannot insert posts");
}

/// The path of the `Link` with this relation.
pub fn linked(answer: &Answer, relation: &str) -> Option<String> {
    let links = answer.header("link")?.split(", ");
    let end = format!(">; rel=\"{relation}\"");
    let mut found = links.filter_map(|link| link.strip_prefix('<')?.strip_suffix(&end));
    found.next().map(str::to_owned)
}

pub fn ids(answer: &Answer) -> Vec<i64> {
    let list = answer.json();
    let id = |post: &Value| post["id"].as_i64().unwrap();
    list.as_array().unwrap().iter().map(id).collect()
}

/// The ids of all posts from `path` on, across all pages.
pub async fn every_page(service: &Service, user: &User, path: &str) -> Vec<i64> {
    let mut found = Vec::new();
    let mut path = Some(path.to_owned());
    while let Some(current) = path {
        let page = service.get(&current, user).await.expect(200);
        found.extend(ids(&page));
        path = linked(&page, "next");
    }
    found
}

#[apply(behaviour)]
async fn every_order_is_paged_by_cursor_during_inserts(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let connection = fixture.connect().await;
    fill(&fixture, &connection).await;
    for (sort, order) in [
        ("new", "posts.id DESC"),
        ("old", "posts.id"),
        ("top", "posts.votes DESC, posts.id DESC"),
        ("hot", "ranks.hot DESC, posts.id DESC"),
    ] {
        let expected = column(
            &connection,
            &format!(
                "SELECT posts.id FROM posts JOIN ranks ON post_id = id WHERE published ORDER BY {order}"
            ),
        )
        .await;
        let expected: Vec<i64> = expected.iter().map(|id| id.parse().unwrap()).collect();
        let known: HashSet<i64> = expected.iter().copied().collect();
        let mut found = Vec::new();
        let mut path = Some(format!("/posts?limit=100&sort={sort}"));
        while let Some(current) = path {
            let page = service.get(&current, &bob).await.expect(200);
            found.extend(ids(&page).into_iter().filter(|id| known.contains(id)));
            path = linked(&page, "next");
            if found.len() < expected.len() {
                let another = service.new_post(&ada, "Another").await;
                let vote = format!("/posts/{another}/vote");
                service
                    .call("PUT", &vote, Some(&ada), None)
                    .await
                    .expect(200);
            }
        }
        assert_eq!(found, expected, "{sort}");
    }
}

#[apply(behaviour)]
async fn prev_links_lead_back_to_the_first_page(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    fill(&fixture, &fixture.connect().await).await;
    for sort in ["new", "old", "top", "hot"] {
        let first = format!("/posts?limit=20&sort={sort}&published=false");
        let first = service.get(&first, &ada).await.expect(200);
        assert_eq!(linked(&first, "prev"), None);
        let second = linked(&first, "next").expect("no second page");
        let second = service.get(&second, &ada).await.expect(200);
        assert_eq!((ids(&first).len(), ids(&second).len()), (20, 20));
        assert_eq!(
            linked(&second, "next"),
            None,
            "{sort}: 40 posts are two pages"
        );
        let back = linked(&second, "prev").expect("no previous page");
        let back = service.get(&back, &ada).await.expect(200);
        assert_eq!(ids(&back), ids(&first), "{sort}");
        assert_eq!(linked(&back, "prev"), None);
        let again = linked(&back, "next").expect("no second page");
        let again = service.get(&again, &ada).await.expect(200);
        assert_eq!(ids(&again), ids(&second));
    }
}

#[apply(behaviour)]
async fn a_cursor_keeps_its_order(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    fill(&fixture, &fixture.connect().await).await;
    let first = service.get("/posts?sort=top&unknown=a%20b%26c", &ada).await;
    let next = linked(&first, "next").expect("no next page");
    assert!(next.contains("unknown=a+b%26c"), "{next}");
    let other = next.replace("sort=top", "sort=old");
    assert_ne!(next, other);
    let (next, other) = (
        service.get(&next, &ada).await,
        service.get(&other, &ada).await,
    );
    assert_eq!(ids(&next.expect(200)), ids(&other.expect(200)));
    for wrong in [
        "",
        "x",
        "na1",
        "na1.x",
        "na1.1.1",
        "na1.1234567890123456789",
    ] {
        let refused = service.get(&format!("/posts?cursor={wrong}"), &ada).await;
        assert_eq!(refused.field_errors(), ["cursor format"], "{wrong}");
    }
}

#[apply(behaviour)]
async fn pages_after_skip_link_to_cursors(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    fill(&fixture, &fixture.connect().await).await;
    let third = service
        .get("/posts?limit=5&skip=10", &ada)
        .await
        .expect(200);
    let next = linked(&third, "next").expect("no next page");
    let prev = linked(&third, "prev").expect("no previous page");
    assert!(!next.contains("skip") && !prev.contains("skip"));
    let fourth = service.get("/posts?limit=5&skip=15", &ada).await;
    let second = service.get("/posts?limit=5&skip=5", &ada).await;
    assert_eq!(ids(&service.get(&next, &ada).await), ids(&fourth));
    assert_eq!(ids(&service.get(&prev, &ada).await), ids(&second));
}
