//! The bound on expensive reads that one caller has at the same time.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::values::UserId;

use crate::{
    http::Problem,
    queue::{Place, Queue},
};

/// Most expensive reads that one caller runs at the same time.
const RUNNING: usize = 2;
/// Most expensive reads of one caller that wait.
const WAITING: usize = 30;
/// Maximum time to wait.
const PATIENCE: Duration = Duration::from_secs(1);

/// A user, or the address of an anonymous client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    User(UserId),
    Address(IpAddr),
}

/// The callers with expensive reads. A caller without an open request has no entry. Clones share
/// them.
#[derive(Clone, Debug, Default)]
pub(super) struct ExpensiveReads(Arc<Mutex<HashMap<Caller, Open>>>);

/// The expensive reads of one caller.
#[derive(Debug)]
struct Open {
    requests: usize,
    queue: Arc<Queue>,
}

/// An expensive read in progress. Dropping it lets the next one of its caller begin.
#[derive(Debug)]
pub struct ExpensiveRead {
    _place: Place,
    _entry: Entry,
}

/// A request that is counted in `requests` of its caller.
#[derive(Debug)]
struct Entry {
    all: ExpensiveReads,
    caller: Caller,
}

impl ExpensiveReads {
    /// Begins an expensive read. Waits for the end of others of the caller.
    ///
    /// # Errors
    /// 429 if too many wait, or if it takes longer than 1 s.
    pub(super) async fn begin(&self, caller: Caller) -> Result<ExpensiveRead, Problem> {
        let queue = {
            let mut all = self.lock();
            let open = all.entry(caller).or_insert_with(|| Open {
                requests: 0,
                queue: Arc::new(Queue::new(RUNNING, WAITING, PATIENCE)),
            });
            open.requests += 1;
            Arc::clone(&open.queue)
        };
        let entry = Entry {
            all: self.clone(),
            caller,
        };
        let place = queue.enter().await;
        Ok(ExpensiveRead {
            _place: place.ok_or_else(|| Problem::too_many_expensive_reads(RUNNING))?,
            _entry: entry,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Caller, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(open) = all.get_mut(&self.caller) {
            open.requests -= 1;
            if open.requests == 0 {
                all.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::future::poll_immediate;

    use super::*;

    #[tokio::test]
    async fn a_caller_without_requests_takes_no_memory() {
        let all = ExpensiveReads::default();
        let caller = |last| Caller::Address(Ipv4Addr::new(127, 0, 0, last).into());
        let mut open = Vec::new();
        for last in [1, 1, 2] {
            open.push(all.begin(caller(last)).await.expect("refused"));
        }
        let mut third = Box::pin(all.begin(caller(1)));
        assert!(poll_immediate(&mut third).await.is_none());
        drop(open);
        third.await.expect("refused");
        assert!(all.lock().is_empty());
    }
}
