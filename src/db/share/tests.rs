use std::pin::Pin;

use futures_util::future::{join_all, poll_immediate};
use tokio::sync::{mpsc, oneshot};

use super::*;

type Key = u32;
type Value = &'static str;

/// A database whose answers the test gives.
struct Database {
    shared: Shared<&'static str, Key, Value>,
    ask: mpsc::UnboundedSender<Query>,
    asked: mpsc::UnboundedReceiver<Query>,
}

/// A query that has begun.
struct Query {
    keys: Vec<Key>,
    answer: oneshot::Sender<Found<Key, Value>>,
}

impl Query {
    /// The same value for each key.
    fn find(self, value: Value) {
        let found = self.keys.iter().map(|key| (*key, value)).collect();
        self.answer.send(Ok(found)).expect("nobody waits");
    }
}

type Request<'a> = Pin<Box<dyn Future<Output = Result<Option<Value>, DbErr>> + 'a>>;

impl Database {
    fn new() -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        Self {
            shared: Shared::default(),
            ask,
            asked,
        }
    }

    /// A request that has come, and waits.
    async fn request(&self, lane: &'static str, key: Key) -> Request<'static> {
        let (shared, ask) = (self.shared.clone(), self.ask.clone());
        let mut request: Request = Box::pin(async move {
            let run = async move |mut keys: Vec<Key>| {
                keys.sort_unstable();
                let (answer, answered) = oneshot::channel();
                ask.send(Query { keys, answer }).ok().unwrap();
                answered.await.expect("the query panics")
            };
            shared.get(lane, key, run).await
        });
        assert!(poll_immediate(&mut request).await.is_none());
        request
    }

    /// The next query to begin.
    async fn begun(&mut self) -> Query {
        self.asked.recv().await.unwrap()
    }

    /// Lets everything go on that can, and makes sure that no query begins.
    async fn none_begins(&mut self) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(self.asked.try_recv().is_err());
    }

    fn is_empty(&self) -> bool {
        held(&self.shared.0).is_empty()
    }
}

#[tokio::test]
async fn who_comes_alone_asks_alone() {
    let mut database = Database::new();
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
    let mut database = Database::new();
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
    let mut database = Database::new();
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
    let mut database = Database::new();
    let here = database.request("here", 1).await;
    let there = database.request("there", 1).await;
    database.begun().await.find("h");
    database.begun().await.find("t");
    assert_eq!(here.await.unwrap(), Some("h"));
    assert_eq!(there.await.unwrap(), Some("t"));
}

#[tokio::test]
async fn a_query_has_a_bounded_number_of_keys() {
    let mut database = Database::new();
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
    let mut database = Database::new();
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
    let mut database = Database::new();
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
    let mut database = Database::new();
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
    let mut database = Database::new();
    let shared = database.shared.clone();
    let first =
        tokio::spawn(async move { shared.get("lane", 1, |_| async { panic!("broken") }).await });
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
