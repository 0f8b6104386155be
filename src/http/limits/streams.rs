//! The bound on open streams.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::HttpRequest;
use entity::values::UserId;

use super::{Limits, Problem, per_caller::Caller};

/// Maximum number of open streams of one user, or of one address without a token.
const STREAMS_OF_CALLER: usize = 100;

/// The open streams of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct Streams {
    open: Arc<Mutex<HashMap<Caller, usize>>>,
    /// Maximum number of all.
    total: usize,
}

/// An open stream. Dropping it makes room for another.
#[derive(Debug)]
pub struct OpenStream {
    streams: Streams,
    caller: Caller,
}

impl Streams {
    /// No streams, and at most half of `connections`: a stream keeps its connection, so that others must
    /// have some left.
    #[must_use]
    pub fn new(connections: usize) -> Self {
        Self {
            open: Arc::default(),
            total: connections / 2,
        }
    }

    /// Begins a stream of `user`, or of the client's address.
    ///
    /// # Errors
    /// 429 if the caller has 100; 503 if too many are open.
    pub fn begin(
        &self,
        limits: &Limits,
        request: &HttpRequest,
        user: Option<UserId>,
    ) -> Result<OpenStream, Problem> {
        let caller = limits.caller(request, user);
        let mut open = self.open();
        let is_anonymous = |caller: &Caller| matches!(caller, Caller::Address(_));
        let all: usize = open.values().sum();
        let anonymous = open.iter().filter(|(caller, _)| is_anonymous(caller));
        let anonymous: usize = anonymous.map(|(_, count)| count).sum();
        // So that callers without a token leave some to users.
        if all >= self.total || is_anonymous(&caller) && anonymous >= self.total / 2 {
            return Err(Problem::unavailable("too many streams are open", None));
        }
        let count = open.entry(caller).or_default();
        if *count >= STREAMS_OF_CALLER {
            return Err(Problem::too_many_streams(STREAMS_OF_CALLER));
        }
        *count += 1;
        Ok(OpenStream {
            streams: self.clone(),
            caller,
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Caller, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        if let Some(count) = open.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.caller);
            }
        }
    }
}

impl Limits {
    /// The user, or the client's address if there is none.
    pub(super) fn caller(&self, request: &HttpRequest, user: Option<UserId>) -> Caller {
        match user {
            Some(user) => Caller::User(user),
            None => Caller::Address(self.0.client_of(request)),
        }
    }
}
