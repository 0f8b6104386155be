//! Filters, date bounds and ranks of lists.

use sea_orm::ConnectionTrait;

use super::paging::{every_page, fill, ids};
use crate::harness::{Fixture, apply, behaviour, column};

#[apply(behaviour)]
async fn filtered_lists_are_paged_by_cursor(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let connection = fixture.connect().await;
    fill(&fixture, &connection).await;
    let vote = format!(
        "INSERT INTO votes (post_id, user_id, created_at) SELECT id, {}, created_at FROM posts WHERE id % 4 = 0",
        bob.id
    );
    connection
        .execute_unprepared(&vote)
        .await
        .expect("cannot insert votes");
    for (filter, condition) in [
        ("tag=third", "id % 3 = 0 AND id % 50 <> 0"),
        ("voted=true", "id % 4 = 0 AND id % 50 <> 0"),
        ("voted=false", "id % 4 <> 0 AND id % 50 <> 0"),
        ("tag=third&voted=true", "id % 12 = 0 AND id % 50 <> 0"),
        ("tag=none", "id < 0"),
        (
            "owner_id=1&tag=third&search=Words",
            "id % 3 = 0 AND id % 50 <> 0",
        ),
    ] {
        for (sort, order) in [
            ("new", "id DESC"),
            ("old", "id"),
            ("top", "votes DESC, id DESC"),
        ] {
            let sql = format!("SELECT id FROM posts WHERE {condition} ORDER BY {order}");
            let expected = column(&connection, &sql).await;
            let expected: Vec<i64> = expected.iter().map(|id| id.parse().unwrap()).collect();
            let path = format!("/posts?{filter}&limit=100&sort={sort}");
            assert_eq!(every_page(&service, &bob, &path).await, expected, "{path}");
            let counted = service
                .get(&format!("{path}&count=exact&skip=7"), &bob)
                .await;
            let total = counted
                .expect(200)
                .header("x-total-count")
                .map(str::to_owned);
            assert_eq!(total, Some(expected.len().to_string()), "{path}");
        }
    }
    // Both date bounds are exclusive.
    let sql = "SELECT count(*) FROM ranks JOIN posts ON post_id = id
        WHERE hot - 45000 < 0 OR (id * 7919 % 1000 > 100 AND id * 7919 % 1000 < 105 AND id % 50 <> 0)";
    let within = column(&connection, sql).await;
    let span = "created_after=2026-09-21T14:15:00Z&created_before=2026-09-21T16:15:05%2B02:00";
    for (sort, order) in [("new", "DESC"), ("old", "ASC")] {
        let span = "created_after=2026-09-21T14:13:20Z&created_before=2026-09-21T14:29:59Z";
        let sql = format!(
            "SELECT id FROM posts WHERE id * 7919 % 1000 BETWEEN 1 AND 998 AND id % 50 <> 0 \
             ORDER BY id * 7919 % 1000 {order}, id {order}"
        );
        let expected = column(&connection, &sql).await;
        let expected: Vec<i64> = expected.iter().map(|id| id.parse().unwrap()).collect();
        let path = format!("/posts?{span}&limit=100&sort={sort}");
        assert_eq!(every_page(&service, &bob, &path).await, expected, "{path}");
    }
    let found = every_page(
        &service,
        &ada,
        &format!("/posts?owner_id=1&published=true&{span}"),
    )
    .await;
    assert_eq!(vec![found.len().to_string()], within);
    assert_eq!(
        service.get("/posts", &ada).await.header("x-total-count"),
        None
    );
    let path = "/posts?voted=true&count=exact";
    let public = fixture.serve_as(true, acclaim::config::Origins::Any).await;
    let anonymous = public.call("GET", path, None, None).await.expect(200);
    assert_eq!(
        (anonymous.text.as_str(), anonymous.header("x-total-count")),
        ("[]", Some("0"))
    );
}

#[apply(behaviour)]
async fn hot_ranks_follow_votes_and_age(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let connection = fixture.connect().await;
    fill(&fixture, &connection).await;
    // Each factor of ten in votes + 1 adds 45,000 seconds, linearly interpolated: 99 votes add
    // 90,000.
    let sql = "SELECT hot FROM ranks JOIN posts ON post_id = id WHERE posts.id = 1";
    let mut of_votes = Vec::new();
    for votes in [0, 1, 9, 54, 99, 1_000_000_000_000_000_i64] {
        let set = format!("UPDATE posts SET votes = {votes} WHERE id = 1");
        connection
            .execute_unprepared(&set)
            .await
            .expect("cannot update votes");
        let hot: i64 = column(&connection, sql).await[0].parse().unwrap();
        of_votes.push(hot - 1_790_000_919);
    }
    assert_eq!(of_votes, [0, 5000, 45_000, 67_500, 90_000, 675_000]);
    // A vote raises a post. Without votes, the younger post ranks higher.
    let (older, younger) = (
        service.new_post(&ada, "older").await,
        service.new_post(&ada, "younger").await,
    );
    let hot = service.get("/posts?sort=hot&limit=2", &ada).await;
    assert_eq!(ids(&hot), [younger, older]);
    let vote = format!("/posts/{older}/vote");
    service
        .call("PUT", &vote, Some(&ada), None)
        .await
        .expect(200);
    let hot = service.get("/posts?sort=hot&limit=2", &ada).await;
    assert_eq!(ids(&hot), [older, younger]);
    service
        .call("DELETE", &vote, Some(&ada), None)
        .await
        .expect(200);
    let hot = service.get("/posts?sort=hot&limit=2", &ada).await;
    assert_eq!(ids(&hot), [younger, older]);
    service
        .call("DELETE", &format!("/posts/{older}"), Some(&ada), None)
        .await
        .expect(204);
    let left = column(
        &connection,
        &format!("SELECT post_id FROM ranks WHERE post_id = {older}"),
    )
    .await;
    assert!(left.is_empty());
}
