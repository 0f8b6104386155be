//! The bound on what one caller has in progress at the same time.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::values::UserId;

use crate::queue::{Place, Queue};

/// Maximum number of requests of one caller that wait.
const WAITING: usize = 30;
/// Maximum time to wait. A cancelled read holds its place for up to 1 s: a caller who cancels some and
/// begins another must not be refused for that.
const MAX_WAIT: Duration = Duration::from_millis(1500);

/// A user, or the address of an anonymous client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    User(UserId),
    Address(IpAddr),
}

/// Work of one kind, of which each caller has up to `RUNNING` in progress. A caller without an open
/// request has no entry. Clones share the entries.
#[derive(Clone, Debug, Default)]
pub(super) struct PerCaller<const RUNNING: usize>(Arc<Mutex<HashMap<Caller, Open>>>);

/// The requests of one caller, in progress or waiting.
#[derive(Debug)]
struct Open {
    requests: usize,
    queue: Arc<Queue>,
}

/// Work in progress. Dropping it lets the next of its caller begin.
#[derive(Debug)]
pub struct InProgress<const RUNNING: usize> {
    _place: Place,
    _entry: Entry<RUNNING>,
}

/// A request that is counted in `requests` of its caller.
#[derive(Debug)]
struct Entry<const RUNNING: usize> {
    all: PerCaller<RUNNING>,
    caller: Caller,
}

impl<const RUNNING: usize> PerCaller<RUNNING> {
    /// Begins, or waits for the end of other work of the caller. `None` if too many wait, or after
    /// 1.5 s.
    pub(super) async fn begin(&self, caller: Caller) -> Option<InProgress<RUNNING>> {
        let queue = {
            let mut all = self.lock();
            let open = all.entry(caller).or_insert_with(|| Open {
                requests: 0,
                queue: Arc::new(Queue::new(RUNNING, WAITING, MAX_WAIT)),
            });
            open.requests += 1;
            Arc::clone(&open.queue)
        };
        let entry = Entry {
            all: self.clone(),
            caller,
        };
        Some(InProgress {
            _place: queue.enter().await?,
            _entry: entry,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Caller, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const RUNNING: usize> Drop for Entry<RUNNING> {
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
        let all = PerCaller::<2>::default();
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
