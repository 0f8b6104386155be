//! Many readers, one query.
//!
//! A request that comes alone asks the database at once. Those that come while a query of their
//! lane is under way wait for its end, and are then answered by one query together. So nobody is
//! given what a query read that had begun before they came: who has written something reads it.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sea_orm::DbErr;
use tokio::{runtime::Handle, sync::oneshot};

/// How many keys one query is asked for at most. The rest waits for the next.
const MOST_KEYS: usize = 64;

/// What a query found; a key that it says nothing of has no value.
pub type Found<K, V> = Result<Vec<(K, V)>, DbErr>;

/// Queries that requests share: in one lane of `L`, those for keys `K`, which are answered with
/// values `V`.
///
/// It belongs to one worker. A lane without a query under way takes no memory.
pub struct Shared<L, K, V>(Lanes<L, K, V>);

/// Who waits, in each lane that has a query under way.
type Lanes<L, K, V> = Arc<Mutex<HashMap<L, Vec<Waiting<K, V>>>>>;

struct Waiting<K, V> {
    key: K,
    run: Run<K, V>,
    answer: Answer<V>,
}

type Answer<V> = oneshot::Sender<Result<Option<V>, DbErr>>;
type Run<K, V> =
    Box<dyn FnOnce(Vec<K>) -> Pin<Box<dyn Future<Output = Found<K, V>> + Send>> + Send>;

impl<L, K, V> Shared<L, K, V>
where
    L: Clone + Eq + Hash + Send + 'static,
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// The value of `key`, by a query that begins after this call.
    ///
    /// `run` asks the database for 1 to 64 keys, all different. It must mean the same to all
    /// requests of a lane, as one's answers all of them. An error reaches everybody who waits for
    /// it, as does a panic.
    pub async fn get<F, R>(&self, lane: L, key: K, run: F) -> Result<Option<V>, DbErr>
    where
        F: FnOnce(Vec<K>) -> R + Send + 'static,
        R: Future<Output = Found<K, V>> + Send + 'static,
    {
        let (key, run) = match self.enter(&lane, key, run) {
            Entered::First(key, run) => (key, run),
            Entered::Waiting(answered) => return answered.await.unwrap_or_else(|_| Err(lost())),
        };
        let _turn = Turn {
            lanes: Arc::clone(&self.0),
            lane,
        };
        let found = run(vec![key]).await?;
        Ok(found.into_iter().next().map(|(_, value)| value))
    }

    fn enter<F, R>(&self, lane: &L, key: K, run: F) -> Entered<K, V, F>
    where
        F: FnOnce(Vec<K>) -> R + Send + 'static,
        R: Future<Output = Found<K, V>> + Send + 'static,
    {
        let mut lanes = held(&self.0);
        let Some(waiting) = lanes.get_mut(lane) else {
            lanes.insert(lane.clone(), Vec::new());
            return Entered::First(key, run);
        };
        let (answer, answered) = oneshot::channel();
        waiting.push(Waiting {
            key,
            run: Box::new(|keys| Box::pin(run(keys))),
            answer,
        });
        Entered::Waiting(answered)
    }
}

enum Entered<K, V, F> {
    First(K, F),
    Waiting(oneshot::Receiver<Result<Option<V>, DbErr>>),
}

/// A query under way. However it ends, those who wait get theirs.
struct Turn<L, K, V>
where
    L: Clone + Eq + Hash + Send + 'static,
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    lanes: Lanes<L, K, V>,
    lane: L,
}

impl<L, K, V> Drop for Turn<L, K, V>
where
    L: Clone + Eq + Hash + Send + 'static,
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    fn drop(&mut self) {
        let mut lanes = held(&self.lanes);
        // Without a runtime there is nobody left to be answered.
        let next = Handle::try_current()
            .ok()
            .zip(lanes.get_mut(&self.lane).and_then(Batch::of_those_who_wait));
        let Some((runtime, batch)) = next else {
            lanes.remove(&self.lane);
            return;
        };
        drop(lanes);
        let turn = Self {
            lanes: Arc::clone(&self.lanes),
            lane: self.lane.clone(),
        };
        runtime.spawn(batch.answer(turn));
    }
}

/// Requests that one query answers.
struct Batch<K, V> {
    run: Run<K, V>,
    askers: HashMap<K, Vec<Answer<V>>>,
}

impl<K: Clone + Eq + Hash, V: Clone> Batch<K, V> {
    /// Takes as many as one query can answer.
    fn of_those_who_wait(waiting: &mut Vec<Waiting<K, V>>) -> Option<Self> {
        let mut all = std::mem::take(waiting).into_iter();
        let mut all = all.by_ref().filter(|one| !one.answer.is_closed());
        let first = all.next()?;
        let mut batch = Self {
            run: first.run,
            askers: HashMap::from([(first.key, vec![first.answer])]),
        };
        for one in all {
            let full = batch.askers.len() == MOST_KEYS;
            match batch.askers.get_mut(&one.key) {
                Some(askers) => askers.push(one.answer),
                None if full => waiting.push(one),
                None => {
                    batch.askers.insert(one.key, vec![one.answer]);
                }
            }
        }
        Some(batch)
    }

    /// An asker whom it drops, as a panic does, is told of it.
    async fn answer<T>(mut self, turn: T) {
        let found = (self.run)(self.askers.keys().cloned().collect()).await;
        drop(turn);
        let found = found.map(|found| {
            for (key, value) in found {
                for asker in self.askers.remove(&key).unwrap_or_default() {
                    // Who has gone needs no answer.
                    let _ = asker.send(Ok(Some(value.clone())));
                }
            }
        });
        for asker in self.askers.into_values().flatten() {
            let _ = asker.send(found.clone().map(|()| None));
        }
    }
}

fn lost() -> DbErr {
    DbErr::Custom("the query that was shared broke off".to_owned())
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<L, K, V> Clone for Shared<L, K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L, K, V> Default for Shared<L, K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<L, K, V> fmt::Debug for Shared<L, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
