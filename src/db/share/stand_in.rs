//! What stands for a database in the tests of sharing: the order of events is theirs to set.

use std::pin::Pin;

use futures_util::future::poll_immediate;
use tokio::sync::{mpsc, oneshot};

use super::*;

pub type Key = u32;
pub type Value = &'static str;

/// A database whose answers the test gives.
pub struct Database {
    pub shared: Shared<&'static str, Key, Value>,
    pub ask: mpsc::UnboundedSender<Query>,
    asked: mpsc::UnboundedReceiver<Query>,
}

/// A query that has begun.
pub struct Query {
    pub keys: Vec<Key>,
    pub answer: oneshot::Sender<Found<Key, Value>>,
}

impl Query {
    /// The same value for each key.
    pub fn find(self, value: Value) {
        let found = self.keys.iter().map(|key| (*key, value)).collect();
        self.answer.send(Ok(found)).expect("nobody waits");
    }
}

pub type Request<'a> = Pin<Box<dyn Future<Output = Result<Option<Value>, DbErr>> + 'a>>;

impl Database {
    pub fn new(at_once: usize) -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        Self {
            shared: Shared::new(at_once),
            ask,
            asked,
        }
    }

    /// A request that has come, and waits.
    pub async fn request(&self, lane: &'static str, key: Key) -> Request<'static> {
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
    pub async fn begun(&mut self) -> Query {
        self.asked.recv().await.unwrap()
    }

    /// Lets everything go on that can, and makes sure that no query begins.
    pub async fn none_begins(&mut self) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(self.asked.try_recv().is_err());
    }

    pub fn is_empty(&self) -> bool {
        held(&self.shared.lanes).is_empty()
    }
}
