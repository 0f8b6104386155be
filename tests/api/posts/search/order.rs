//! Order, filters and pages of search results.

use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{found, write};
use crate::{
    harness::{Fixture, apply, behaviour, service::User},
    posts::feed::paging::{POSTS, every_page, fill, ids, linked},
};

#[apply(behaviour)]
async fn title_matches_come_first_each_group_newest_first(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let both = write(&service, &ada, "Red apple", "-").await;
    let content = write(&service, &ada, "Fruit", "red apple").await;
    let split = write(&service, &ada, "Red", "apple").await;
    let again = write(&service, &ada, "An apple, red", "red red red apple").await;
    let later = write(&service, &ada, "Later", "apple; red").await;
    for (search, ids) in [
        ("red apple", [again, both, later, split, content]),
        ("apple red", [again, both, later, split, content]),
        ("red", [again, split, both, later, content]),
        ("app", [again, both, later, split, content]),
    ] {
        assert_eq!(found(&service, &ada, search, "").await, ids, "{search}");
        for skip in 0..6 {
            for limit in 1..4 {
                let more = format!("skip={skip}&limit={limit}");
                let page = found(&service, &ada, search, &more);
                let expected: Vec<i64> = ids.iter().skip(skip).take(limit).copied().collect();
                assert_eq!(page.await, expected, "{search} {skip} {limit}");
            }
        }
    }
}

#[apply(behaviour)]
async fn search_respects_sort_limit_and_skip(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let content = write(&service, &ada, "Fruit", "apple").await;
    let title = write(&service, &ada, "Apple", "-").await;
    let last = write(&service, &ada, "Last", "apple").await;
    for (more, ids) in [
        ("", vec![title, last, content]),
        ("sort=new", vec![last, title, content]),
        ("sort=old", vec![content, title, last]),
        ("sort=old&owner_id=1", vec![content, title, last]),
        ("owner_id=1", vec![title, last, content]),
        ("sort=new&limit=1&skip=1", vec![title]),
        ("skip=10000", vec![]),
        ("skip=10000&sort=old", vec![]),
    ] {
        assert_eq!(found(&service, &ada, "apple", more).await, ids, "{more}");
    }
}

#[apply(behaviour)]
async fn search_respects_other_filters_and_hides_drafts(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let hers = service.new_post(&ada, "apple").await;
    let draft = service.new_draft(&ada, "apple draft").await;
    let his = service.new_post(&bob, "apple").await;
    let owner = |user: &User| format!("owner_id={}", user.id);
    for (user, more, ids) in [
        (&ada, String::new(), vec![his, draft, hers]),
        (&bob, String::new(), vec![his, hers]),
        (&ada, owner(&bob), vec![his]),
        (&bob, owner(&ada), vec![hers]),
        (&ada, owner(&ada) + "&sort=old", vec![hers, draft]),
        (&ada, "published=false".to_owned(), vec![draft]),
        (&bob, "published=false".to_owned(), vec![]),
        (&ada, "published=true&sort=new".to_owned(), vec![his, hers]),
    ] {
        assert_eq!(found(&service, user, "apple", &more).await, ids, "{more}");
    }
    assert!(found(&service, &bob, "draft", "").await.is_empty());
}

#[apply(behaviour)]
async fn the_index_follows_changes_and_deletions(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let post = write(&service, &ada, "First", "apple").await;
    let path = format!("/posts/{post}");
    let vote = format!("/posts/{post}/vote");
    service
        .call("PUT", &vote, Some(&bob), None)
        .await
        .expect(200);
    assert_eq!(found(&service, &ada, "first apple", "").await, [post]);
    let body = json!({"content": "pear"});
    service
        .call("PATCH", &path, Some(&ada), Some(body))
        .await
        .expect(200);
    assert_eq!(found(&service, &ada, "first pear", "").await, [post]);
    assert!(found(&service, &ada, "apple", "").await.is_empty());
    let body = json!({"title": "Second"});
    service
        .call("PATCH", &path, Some(&ada), Some(body))
        .await
        .expect(200);
    assert_eq!(found(&service, &ada, "second pear", "").await, [post]);
    assert!(found(&service, &ada, "first", "").await.is_empty());
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    assert!(found(&service, &ada, "pear", "").await.is_empty());
    let last = write(&service, &bob, "Third", "plum").await;
    assert_eq!(found(&service, &ada, "plum", "").await, [last]);
    assert!(found(&service, &ada, "second", "").await.is_empty());
}

/// Adds more posts than a search checks before it reads the index.
#[apply(behaviour)]
async fn matches_beyond_the_first_scan_are_found(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let title = write(&service, &ada, "Rare", "-").await;
    let content = write(&service, &bob, "Word", "rare").await;
    let connection = fixture.connect().await;
    let many = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2100)
        INSERT INTO posts (owner_id, title, content, published, created_at, updated_at)
        SELECT {}, 'Common', 'common', true, '2026-11-21T06:00:42Z', '2026-11-21T06:00:42Z'
        FROM numbers",
        ada.id
    );
    connection.execute_unprepared(&many).await.unwrap();
    let newest = write(&service, &ada, "Newest", "rare").await;
    for (more, ids) in [
        ("", vec![title, newest, content]),
        ("sort=new", vec![newest, content, title]),
        ("sort=old", vec![title, content, newest]),
        ("owner_id=1", vec![title, newest]),
        ("owner_id=1&sort=new", vec![newest, title]),
        ("owner_id=1&sort=old", vec![title, newest]),
        ("owner_id=1&limit=1", vec![title]),
        ("owner_id=2", vec![content]),
        ("limit=2&skip=1", vec![newest, content]),
    ] {
        assert_eq!(found(&service, &ada, "rare", more).await, ids, "{more}");
    }
    assert_eq!(
        found(&service, &ada, "common", "limit=100&skip=2050")
            .await
            .len(),
        50
    );
    assert_eq!(
        found(&service, &ada, "common", "owner_id=1&skip=2095")
            .await
            .len(),
        5
    );
}

#[apply(behaviour)]
async fn the_best_matches_are_paged_by_cursor(fixture: Fixture) {
    let service = fixture.serve().await;
    let (_ada, bob) = (service.user("ada").await, service.user("bob").await);
    fill(&fixture, &fixture.connect().await).await;
    // One title of 50 contains the words. All contents contain `words`.
    let rename = "UPDATE posts SET title = 'Some words' WHERE id % 50 = 7";
    let connection = fixture.connect().await;
    connection
        .execute_unprepared(rename)
        .await
        .expect("cannot update titles");
    let in_title = |id: &i64| id % 50 == 7;
    let posts = 1..=i64::from(POSTS);
    let published = posts.clone().rev().filter(|id| id % 50 != 0);
    let (titles, others): (Vec<i64>, Vec<i64>) = published.partition(in_title);
    let expected: Vec<i64> = titles.into_iter().chain(others).collect();
    let path = "/posts?search=words&limit=100";
    assert_eq!(every_page(&service, &bob, path).await, expected);
    let mut page = service
        .get("/posts?search=words&limit=70", &bob)
        .await
        .expect(200);
    assert_eq!(ids(&page), expected[..70]);
    for begin in [70, 140] {
        page = service
            .get(&linked(&page, "next").unwrap(), &bob)
            .await
            .expect(200);
        assert_eq!(ids(&page), expected[begin..begin + 70]);
    }
    for begin in [70, 0] {
        page = service
            .get(&linked(&page, "prev").unwrap(), &bob)
            .await
            .expect(200);
        assert_eq!(ids(&page), expected[begin..begin + 70]);
    }
    assert_eq!(linked(&page, "prev"), None);
    for sort in ["old", "top", "hot"] {
        let path = format!("/posts?search=some&limit=7&sort={sort}&count=exact");
        let mut found = every_page(&service, &bob, &path).await;
        found.sort_unstable();
        assert_eq!(
            found,
            posts.clone().filter(in_title).collect::<Vec<_>>(),
            "{sort}"
        );
        let counted = service.get(&path, &bob).await;
        let total = found.len().to_string();
        assert_eq!(counted.header("x-total-count"), Some(total.as_str()));
    }
}
