use std::{hash::Hasher, pin::Pin};

use futures_util::future::{join_all, poll_immediate};
use sqlx::sqlite::SqliteConnectOptions;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};

use super::*;
use crate::db::{connection::Options, pool::Pool, queues::SLOW};

type Value = &'static str;

/// A read whose result the test decides.
struct Controlled;

/// Equal if the name is.
#[derive(Clone)]
struct Parameters {
    name: &'static str,
    started: mpsc::UnboundedSender<Query>,
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Parameters {}

impl Hash for Parameters {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl SharedRead for Controlled {
    type Parameters = Parameters;
    type Key = u32;
    type Value = Value;

    async fn read(_: Autocommit, parameters: Parameters, mut keys: Vec<u32>) -> Found<u32, Value> {
        keys.sort_unstable();
        let (answer, answered) = oneshot::channel();
        parameters
            .started
            .send(Query { keys, answer })
            .ok()
            .unwrap();
        answered.await.expect("the query panics")
    }
}

/// A database whose answers the test gives.
struct Database {
    flight: SingleFlight<Controlled>,
    connection: Autocommit,
    start: mpsc::UnboundedSender<Query>,
    started: mpsc::UnboundedReceiver<Query>,
}

/// A query that has begun.
struct Query {
    keys: Vec<u32>,
    answer: Sender<Found<u32, Value>>,
}

impl Query {
    /// Answers with the same value for each key.
    fn find(self, value: Value) {
        let found = self.keys.iter().map(|key| (*key, value)).collect();
        self.answer.send(Ok(found)).expect("no receiver");
    }
}

type Request<'a> = Pin<Box<dyn Future<Output = Result<Option<Value>, DbErr>> + Send + 'a>>;

impl Database {
    fn new() -> Self {
        Self::with_connections(1)
    }

    fn with_connections(connections: usize) -> Self {
        let (start, started) = mpsc::unbounded_channel();
        // Never connected to.
        let options = Options::Sqlite(Box::new(SqliteConnectOptions::new()));
        Self {
            flight: SingleFlight::default(),
            connection: Autocommit::new(Pool::new(options, connections)),
            start,
            started,
        }
    }

    fn ask(&self, name: &'static str, key: u32) -> Request<'static> {
        let (flight, connection) = (self.flight.clone(), self.connection.clone());
        let started = self.start.clone();
        Box::pin(async move {
            flight
                .get(connection, Parameters { name, started }, key)
                .await
        })
    }

    /// A request that has arrived and waits.
    async fn request(&self, name: &'static str, key: u32) -> Request<'static> {
        let mut request = self.ask(name, key);
        assert!(poll_immediate(&mut request).await.is_none());
        request
    }

    /// The next query to begin.
    async fn begun(&mut self) -> Query {
        self.started.recv().await.unwrap()
    }

    /// Runs all ready tasks and checks that no query begins.
    async fn assert_none_begins(&mut self) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(self.started.try_recv().is_err());
    }

    fn is_idle(&self) -> bool {
        self.flight.0.is_idle()
    }
}

#[tokio::test]
async fn a_request_alone_runs_its_own_query() {
    let mut database = Database::new();
    for value in ["a", "b"] {
        let request = database.request("list", 1).await;
        let query = database.begun().await;
        assert_eq!(query.keys, [1]);
        query.find(value);
        assert_eq!(request.await.unwrap(), Some(value));
        assert!(database.is_idle());
    }
}

#[tokio::test]
async fn a_query_ends_when_all_its_requests_are_cancelled() {
    let mut database = Database::new();
    let first = database.request("list", 1).await;
    let query = database.begun().await;
    let others = [
        database.request("list", 1).await,
        database.request("list", 2).await,
    ];
    query.find("value");
    assert_eq!(first.await.unwrap(), Some("value"));
    let mut query = database.begun().await;
    let [second, third] = others;
    drop(second);
    database.assert_none_begins().await;
    assert!(!query.answer.is_closed());
    drop(third);
    query.answer.closed().await;
    assert!(database.is_idle());
}

#[tokio::test]
async fn a_request_is_not_answered_by_a_query_that_began_before_it() {
    let mut database = Database::new();
    let first = database.request("list", 1).await;
    let query = database.begun().await;
    let second = database.request("list", 1).await;
    query.find("old");
    assert_eq!(first.await.unwrap(), Some("old"));
    // A shared query does not either.
    let query = database.begun().await;
    let third = database.request("list", 1).await;
    query.find("new");
    assert_eq!(second.await.unwrap(), Some("new"));
    database.begun().await.find("newest");
    assert_eq!(third.await.unwrap(), Some("newest"));
    assert!(database.is_idle());
}

#[tokio::test]
async fn waiting_requests_share_one_query() {
    let mut database = Database::new();
    let first = database.request("list", 1).await;
    let query = database.begun().await;
    let mut others = Vec::new();
    for key in [2, 3, 2, 1] {
        others.push(database.request("list", key).await);
    }
    database.assert_none_begins().await;
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
    assert!(database.is_idle());
}

#[tokio::test]
async fn different_parameters_do_not_wait_for_each_other() {
    let mut database = Database::new();
    let here = database.request("here", 1).await;
    let there = database.request("there", 1).await;
    database.begun().await.find("h");
    database.begun().await.find("t");
    assert_eq!(here.await.unwrap(), Some("h"));
    assert_eq!(there.await.unwrap(), Some("t"));
}

#[tokio::test(start_paused = true)]
async fn a_query_starts_during_a_slow_one() {
    let mut database = Database::with_connections(4);
    let begin = Instant::now();
    let first = database.request("list", 1).await;
    let slow = database.begun().await;
    let second = database.request("list", 2).await;
    database.assert_none_begins().await;
    // Time passes while everything waits.
    let query = database.begun().await;
    assert_eq!(query.keys, [2]);
    assert!((SLOW..SLOW * 2).contains(&begin.elapsed()));
    let third = database.request("list", 3).await;
    database.assert_none_begins().await;
    query.find("second");
    assert_eq!(second.await.unwrap(), Some("second"));
    database.begun().await.find("third");
    assert_eq!(third.await.unwrap(), Some("third"));
    let fourth = database.request("list", 4).await;
    database.begun().await.find("fourth");
    assert_eq!(fourth.await.unwrap(), Some("fourth"));
    slow.find("first");
    assert_eq!(first.await.unwrap(), Some("first"));
    assert!(database.is_idle());
}

/// Requests that wait share one task, and memory is freed after the last.
#[tokio::test(start_paused = true)]
async fn a_queue_is_removed_after_its_last_request() {
    let mut database = Database::new();
    for _ in 0..10 {
        let first = database.request("list", 1).await;
        let query = database.begun().await;
        let second = database.request("list", 2).await;
        query.find("first");
        first.await.unwrap();
        database.begun().await.find("second");
        second.await.unwrap();
        assert!(database.is_idle());
    }
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    assert_eq!(tasks(), 1);
    sleep(SLOW * 2).await;
    assert_eq!(tasks(), 0);
    assert!(database.flight.0.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_number_of_slow_queries_is_bounded() {
    for (connections, max) in [(1, 1), (2, 2), (4, 2), (6, 3), (8, 4), (32, 4)] {
        let mut database = Database::with_connections(connections);
        let (mut requests, mut queries) = (Vec::new(), Vec::new());
        for key in 0..max {
            requests.push(database.request("list", key).await);
            queries.push(database.begun().await);
        }
        requests.push(database.request("list", max).await);
        sleep(SLOW * 10).await;
        database.assert_none_begins().await;
        queries.remove(0).find("slow");
        requests.remove(0).await.unwrap();
        queries.push(database.begun().await);
        for query in queries {
            query.find("slow");
        }
        join_all(requests).await;
        assert!(database.is_idle());
    }
}

#[tokio::test]
async fn a_query_has_a_bounded_number_of_keys() {
    let mut database = Database::new();
    let first = database.request("list", 0).await;
    let query = database.begun().await;
    let mut others = Vec::new();
    for key in 0..100 {
        others.push(database.request("list", key).await);
        others.push(database.request("list", key).await);
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
    assert!(database.is_idle());
}

#[tokio::test]
async fn an_error_reaches_all_waiting_requests_and_no_later_one() {
    let mut database = Database::new();
    let first = database.request("list", 1).await;
    let query = database.begun().await;
    let others = [
        database.request("list", 1).await,
        database.request("list", 2).await,
    ];
    let error = || DbErr::Custom("lost".to_owned());
    query.answer.send(Err(error())).unwrap();
    assert_eq!(first.await, Err(error()));
    database.begun().await.answer.send(Err(error())).unwrap();
    for found in join_all(others).await {
        assert_eq!(found, Err(error()));
    }
    let after = database.request("list", 1).await;
    database.begun().await.find("back");
    assert_eq!(after.await.unwrap(), Some("back"));
}

#[tokio::test]
async fn a_cancelled_request_does_not_cancel_others() {
    let mut database = Database::new();
    let first = database.request("list", 1).await;
    let _query = database.begun().await;
    let second = database.request("list", 2).await;
    let third = database.request("list", 3).await;
    drop(second);
    // Cancels its query.
    drop(first);
    let query = database.begun().await;
    assert_eq!(query.keys, [3]);
    let fourth = database.request("list", 4).await;
    drop(third);
    query.find("unheard");
    let query = database.begun().await;
    drop(fourth);
    query.find("unheard");
    database.assert_none_begins().await;
    assert!(database.is_idle());
}

#[tokio::test]
async fn no_query_starts_for_cancelled_requests() {
    let mut database = Database::new();
    let first = database.request("list", 1).await;
    let query = database.begun().await;
    drop(database.request("list", 2).await);
    query.find("first");
    first.await.unwrap();
    database.assert_none_begins().await;
    assert!(database.is_idle());
}

#[tokio::test]
async fn a_panic_is_an_error_to_waiting_requests() {
    let mut database = Database::new();
    let first = tokio::spawn(database.ask("list", 1));
    drop(database.begun().await.answer);
    assert!(first.await.unwrap_err().is_panic());
    let first = database.request("list", 1).await;
    let query = database.begun().await;
    let second = database.request("list", 2).await;
    query.find("first");
    first.await.unwrap();
    let query = database.begun().await;
    let third = database.request("list", 3).await;
    // The query panics without an answer.
    drop(query.answer);
    assert_eq!(second.await, Err(lost()));
    database.begun().await.find("third");
    assert_eq!(third.await.unwrap(), Some("third"));
    assert!(database.is_idle());
}
