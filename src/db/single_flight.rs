//! Shared reads: concurrent requests share one query.
//!
//! If no query with its parameters is in flight, a request runs its own query at once. Requests that
//! arrive during that query wait for its end, or until it is slow, and one query then answers all of
//! them. A query never answers a request that arrived after it began, so a client always reads its
//! own writes. It ends early when all requests that it answers are cancelled.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    marker::PhantomData,
    pin::pin,
};

use sea_orm::DbErr;
use tokio::sync::oneshot::Sender;

use super::{
    Autocommit,
    queues::{Entered, InFlight, MAX_BATCH, Queues, Request, Work, max_in_flight, wait_span},
};
use crate::metrics;

/// The keys that exist, with their values.
pub type Found<K, V> = Result<Vec<(K, V)>, DbErr>;

/// A query that can answer several requests at once.
pub trait SharedRead: Send + Sync + 'static {
    /// The parameters of the query. Requests share a query only if these are equal.
    type Parameters: Clone + Eq + Hash + Send + Sync + 'static;
    /// The key of one request.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// The result for one request.
    type Value: Clone + Send + 'static;

    /// Reads 1 to 64 distinct keys. A key without an entry in the result does not exist.
    ///
    /// All requests that wait for this query get its error. If it panics, they get an error too.
    fn read(
        connection: Autocommit,
        parameters: Self::Parameters,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = Found<Self::Key, Self::Value>> + Send;
}

/// One worker's requests for `Q`. Clones share them.
pub(super) struct SingleFlight<Q: SharedRead>(Queues<Reads<Q>>);

struct Reads<Q> {
    connection: Autocommit,
    query: PhantomData<Q>,
}

impl<Q: SharedRead> SingleFlight<Q> {
    /// Reads `key` by a query that begins after this call.
    pub(super) async fn get(
        &self,
        connection: Autocommit,
        parameters: Q::Parameters,
        key: Q::Key,
    ) -> Result<Option<Q::Value>, DbErr> {
        let reads = Reads::new(connection.clone());
        match self.0.enter(reads, parameters, key) {
            Entered::Started(key, in_flight) => {
                let found = Q::read(connection, in_flight.key.clone(), vec![key]).await?;
                Ok(found.into_iter().next().map(|(_, value)| value))
            }
            Entered::Waiting(answered) => {
                let _span = wait_span();
                answered.await.unwrap_or_else(|_| Err(lost()))
            }
        }
    }
}

impl<Q: SharedRead> Work for Reads<Q> {
    type QueueKey = Q::Parameters;
    type Input = Q::Key;
    type Output = Result<Option<Q::Value>, DbErr>;

    fn max_in_flight(&self) -> usize {
        max_in_flight(self.connection.pool.size())
    }

    fn metrics(&self) -> Option<&metrics::Batches> {
        self.connection.pool.metrics().map(|metrics| &metrics.reads)
    }

    fn split(waiting: Vec<Request<Self>>) -> (Vec<Request<Self>>, Vec<Request<Self>>) {
        let mut keys = HashSet::new();
        waiting.into_iter().partition(|request| {
            let is_full = keys.len() == MAX_BATCH;
            keys.contains(&request.input) || !is_full && keys.insert(request.input.clone())
        })
    }

    async fn answer(self, requests: Vec<Request<Self>>, in_flight: InFlight<Self>) {
        let mut waiting: HashMap<Q::Key, Vec<_>> = HashMap::new();
        for Request { input, answer, .. } in requests {
            waiting.entry(input).or_default().push(answer);
        }
        let keys = waiting.keys().cloned().collect();
        let found = {
            let mut read = pin!(Q::read(self.connection, in_flight.key.clone(), keys));
            let mut cancelled = pin!(all_closed(waiting.values_mut().flatten()));
            tokio::select! {
                biased;
                found = &mut read => found,
                () = &mut cancelled => return,
            }
        };
        drop(in_flight);
        // Sending fails if the request was cancelled.
        let found = found.map(|found| {
            for (key, value) in found {
                let mut answers = waiting.remove(&key).unwrap_or_default();
                let last = answers.pop();
                for answer in answers {
                    let _ = answer.send(Ok(Some(value.clone())));
                }
                let _ = last.map(|answer| answer.send(Ok(Some(value))));
            }
        });
        for answer in waiting.into_values().flatten() {
            let _ = answer.send(found.clone().map(|()| None));
        }
    }
}

impl<Q> Reads<Q> {
    fn new(connection: Autocommit) -> Self {
        let query = PhantomData;
        Self { connection, query }
    }
}

impl<Q> Clone for Reads<Q> {
    fn clone(&self) -> Self {
        Self::new(self.connection.clone())
    }
}

impl<Q: SharedRead> Clone for SingleFlight<Q> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Q: SharedRead> Default for SingleFlight<Q> {
    fn default() -> Self {
        Self(Queues::default())
    }
}

/// Waits until all requests are cancelled.
async fn all_closed<'a, T: 'a>(answers: impl Iterator<Item = &'a mut Sender<T>>) {
    for answer in answers {
        answer.closed().await;
    }
}

fn lost() -> DbErr {
    DbErr::Custom("the shared query ended without an answer".to_owned())
}
