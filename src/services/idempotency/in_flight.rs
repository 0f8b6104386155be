//! The keyed requests in progress in this process.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use entity::values::{IdempotencyKey, KeyScope};

use crate::error::Error;

type Key = (KeyScope, IdempotencyKey);

/// The keys of the requests in progress, so that the same request is refused at once. Clones share
/// them. There are at most as many as connections, because a connection has one request at a time.
///
/// This only saves work: the database decides between simultaneous requests to several servers.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<Mutex<HashSet<Key>>>);

/// A request in progress. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    all: InFlight,
    key: Key,
}

impl InFlight {
    /// Begins a request.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyInUse`] if one with the same key is in progress.
    pub fn begin(&self, scope: KeyScope, key: &IdempotencyKey) -> Result<Running, Error> {
        let key = (scope, key.clone());
        if !self.lock().insert(key.clone()) {
            return Err(Error::IdempotencyKeyInUse);
        }
        Ok(Running {
            all: self.clone(),
            key,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}
