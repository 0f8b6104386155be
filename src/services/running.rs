//! Work of users of which each can have one at a time, and a server few.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use entity::values::UserId;

use crate::error::Error;

/// The users with work of one kind in progress. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Running(Arc<Mutex<HashSet<UserId>>>);

/// Marks that work of a user is in progress, until it is dropped.
#[derive(Debug)]
pub struct RunningGuard {
    all: Running,
    id: UserId,
}

impl Running {
    /// Begins the work of user `id`.
    ///
    /// # Errors
    /// `of_user` if work of this user is in progress; `of_all` if that of `max` users is.
    pub(super) fn begin(
        &self,
        id: UserId,
        max: usize,
        of_user: Error,
        of_all: Error,
    ) -> Result<RunningGuard, Error> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.contains(&id) {
            return Err(of_user);
        }
        if running.len() >= max {
            return Err(of_all);
        }
        running.insert(id);
        Ok(RunningGuard {
            all: self.clone(),
            id,
        })
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        let mut running = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.id);
    }
}
