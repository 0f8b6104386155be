//! Work that must not run twice at the same time in this process.

use std::{
    collections::HashSet,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// The keys of the work of one kind in progress. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Running<K>(Arc<Mutex<HashSet<K>>>);

/// Marks that the work with a key is in progress, until it is dropped.
#[derive(Debug)]
pub struct RunningGuard<K: Eq + Hash> {
    all: Arc<Mutex<HashSet<K>>>,
    key: K,
}

/// The reason why work was not begun.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    /// Work with the same key is in progress.
    Same,
    /// The maximum amount of work is in progress.
    Full,
}

impl<K> Default for Running<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Running<K> {
    /// Begins the work with `key`, unless it or the work with `max` other keys is in progress.
    pub(super) fn begin(&self, key: K, max: usize) -> Result<RunningGuard<K>, Refused> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains(&key) {
            return Err(Refused::Same);
        }
        if running.len() >= max {
            return Err(Refused::Full);
        }
        running.insert(key.clone());
        Ok(RunningGuard {
            all: Arc::clone(&self.0),
            key,
        })
    }
}

impl<K: Eq + Hash> Drop for RunningGuard<K> {
    fn drop(&mut self) {
        let mut running = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.key);
    }
}
