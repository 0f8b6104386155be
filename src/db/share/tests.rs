use futures_util::future::join_all;

use super::{stand_in::*, *};

#[tokio::test]
async fn who_comes_alone_asks_alone() {
    let mut database = Database::new(1);
    for value in ["a", "b"] {
        let request = database.request("lane", 1).await;
        let query = database.begun().await;
        assert_eq!(query.keys, [1]);
        query.find(value);
        assert_eq!(request.await.unwrap(), Some(value));
        assert!(database.is_empty());
    }
}

#[tokio::test]
async fn nobody_is_given_what_a_query_found_that_had_begun_before_they_came() {
    let mut database = Database::new(1);
    let first = database.request("lane", 1).await;
    let query = database.begun().await;
    let second = database.request("lane", 1).await;
    query.find("old");
    assert_eq!(first.await.unwrap(), Some("old"));
    // Nor of the shared query, once that has begun.
    let query = database.begun().await;
    let third = database.request("lane", 1).await;
    query.find("new");
    assert_eq!(second.await.unwrap(), Some("new"));
    database.begun().await.find("newest");
    assert_eq!(third.await.unwrap(), Some("newest"));
    assert!(database.is_empty());
}

#[tokio::test]
async fn those_who_wait_share_one_query() {
    let mut database = Database::new(1);
    let first = database.request("lane", 1).await;
    let query = database.begun().await;
    let mut others = Vec::new();
    for key in [2, 3, 2, 1] {
        others.push(database.request("lane", key).await);
    }
    database.none_begins().await;
    query.find("first");
    first.await.unwrap();
    let query = database.begun().await;
    assert_eq!(query.keys, [1, 2, 3]);
    query.answer.send(Ok(vec![(2, "two"), (1, "one")])).unwrap();
    let found: Result<Vec<_>, _> = join_all(others).await.into_iter().collect();
    assert_eq!(
        found.unwrap(),
        [Some("two"), None, Some("two"), Some("one")]
    );
    assert!(database.is_empty());
}

#[tokio::test]
async fn lanes_do_not_wait_for_one_another() {
    let mut database = Database::new(1);
    let here = database.request("here", 1).await;
    let there = database.request("there", 1).await;
    database.begun().await.find("h");
    database.begun().await.find("t");
    assert_eq!(here.await.unwrap(), Some("h"));
    assert_eq!(there.await.unwrap(), Some("t"));
}

#[tokio::test]
async fn as_many_queries_as_allowed_are_under_way() {
    let mut database = Database::new(2);
    let _first = database.request("lane", 1).await;
    let second = database.request("lane", 1).await;
    let third = database.request("lane", 1).await;
    let _query = database.begun().await;
    let query = database.begun().await;
    database.none_begins().await;
    query.find("second");
    second.await.unwrap();
    database.begun().await.find("third");
    assert_eq!(third.await.unwrap(), Some("third"));
}

#[tokio::test]
async fn a_query_has_a_bounded_number_of_keys() {
    let mut database = Database::new(1);
    let first = database.request("lane", 0).await;
    let query = database.begun().await;
    let mut others = Vec::new();
    for key in 0..100 {
        others.push(database.request("lane", key).await);
        others.push(database.request("lane", key).await);
    }
    query.find("first");
    first.await.unwrap();
    for keys in [0..64, 64..100] {
        let query = database.begun().await;
        assert_eq!(query.keys, keys.collect::<Vec<_>>());
        query.find("other");
    }
    for found in join_all(others).await {
        assert_eq!(found.unwrap(), Some("other"));
    }
    assert!(database.is_empty());
}

#[tokio::test]
async fn an_error_reaches_everybody_and_nobody_after() {
    let mut database = Database::new(1);
    let first = database.request("lane", 1).await;
    let query = database.begun().await;
    let others = [
        database.request("lane", 1).await,
        database.request("lane", 2).await,
    ];
    let error = || DbErr::Custom("away".to_owned());
    query.answer.send(Err(error())).unwrap();
    assert_eq!(first.await, Err(error()));
    database.begun().await.answer.send(Err(error())).unwrap();
    for found in join_all(others).await {
        assert_eq!(found, Err(error()));
    }
    let after = database.request("lane", 1).await;
    database.begun().await.find("back");
    assert_eq!(after.await.unwrap(), Some("back"));
}

#[tokio::test]
async fn who_goes_away_takes_nobody_along() {
    let mut database = Database::new(1);
    let first = database.request("lane", 1).await;
    let _query = database.begun().await;
    let second = database.request("lane", 2).await;
    let third = database.request("lane", 3).await;
    drop(second);
    // Its query goes with it.
    drop(first);
    let query = database.begun().await;
    assert_eq!(query.keys, [3]);
    let fourth = database.request("lane", 4).await;
    drop(third);
    query.find("unheard");
    let query = database.begun().await;
    drop(fourth);
    query.find("unheard");
    database.none_begins().await;
    assert!(database.is_empty());
}

#[tokio::test]
async fn a_query_for_nobody_does_not_begin() {
    let mut database = Database::new(1);
    let first = database.request("lane", 1).await;
    let query = database.begun().await;
    drop(database.request("lane", 2).await);
    query.find("first");
    first.await.unwrap();
    database.none_begins().await;
    assert!(database.is_empty());
}

#[tokio::test]
async fn a_panic_is_an_error_to_those_who_wait_for_it() {
    let mut database = Database::new(1);
    let shared = database.shared.clone();
    let first = tokio::spawn(async move { shared.get("lane", 1, |_| broken()).await });
    assert!(first.await.unwrap_err().is_panic());
    let first = database.request("lane", 1).await;
    let query = database.begun().await;
    let second = database.request("lane", 2).await;
    query.find("first");
    first.await.unwrap();
    let query = database.begun().await;
    let third = database.request("lane", 3).await;
    // The query panics without an answer.
    drop(query.answer);
    assert_eq!(second.await, Err(lost()));
    database.begun().await.find("third");
    assert_eq!(third.await.unwrap(), Some("third"));
    assert!(database.is_empty());
}

#[expect(clippy::unused_async, reason = "it stands for a query")]
async fn broken() -> Found<Key, Value> {
    panic!("broken")
}
