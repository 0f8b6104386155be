//! Turns for writes that take long: only few run at once, and their authors alternate. So the writes
//! of one author do not hold up those of others, and all of them together do not fill the queue for
//! SQLite's writer or the connections to PostgreSQL.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// The turns of one pool. Clones share them.
#[derive(Clone)]
pub(super) struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// The waiting requests of each group, in the order in which the groups get the next turn.
    waiting: VecDeque<(i64, VecDeque<oneshot::Sender<Turn>>)>,
}

/// The right to write. Dropping it passes it on.
pub(super) struct Turn(Turns);

impl Turns {
    /// Turns for the writes on a pool of `connections`: a quarter of them, at least one.
    pub(super) fn of(connections: usize) -> Self {
        let free = (connections / 4).max(1);
        let waiting = VecDeque::new();
        Self(Arc::new(Mutex::new(State { free, waiting })))
    }

    /// Waits for a turn. The groups that wait get one turn each, then a second one each.
    pub(super) async fn wait(&self, group: i64) -> Turn {
        let waiting = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Turn(self.clone());
            }
            let (sender, receiver) = oneshot::channel();
            let mut groups = state.waiting.iter_mut();
            match groups.find(|(other, _)| *other == group) {
                Some((_, requests)) => requests.push_back(sender),
                None => state.waiting.push_back((group, VecDeque::from([sender]))),
            }
            receiver
        };
        // The sender stays in the queue until it sends.
        waiting.await.unwrap_or_else(|_| Turn(self.clone()))
    }

    /// The request whose turn is next. Without one, the turn becomes free.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut state = self.lock();
        while let Some((group, mut requests)) = state.waiting.pop_front() {
            // The others were cancelled.
            let next = loop {
                match requests.pop_front() {
                    Some(request) if request.is_closed() => {}
                    next => break next,
                }
            };
            if !requests.is_empty() {
                state.waiting.push_back((group, requests));
            }
            if next.is_some() {
                return next;
            }
        }
        state.free += 1;
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(next) = self.0.next() {
            // If the request is cancelled just now, this drops the new turn, which passes it on.
            let _ = next.send(Self(self.0.clone()));
        }
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns")
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::future::{join_all, poll_immediate};

    use super::*;

    /// Takes a turn for each of `groups`, while all wait for one that is dropped. Returns the groups
    /// in the order of their turns. `cancelled` is the place of one that stops waiting.
    async fn order(groups: &[i64], cancelled: Option<usize>) -> Vec<i64> {
        let turns = Turns::of(1);
        let order = Mutex::new(Vec::new());
        let first = turns.wait(0).await;
        let wait = |group| {
            let (turns, order) = (&turns, &order);
            Box::pin(async move {
                let _turn = turns.wait(group).await;
                order.lock().unwrap().push(group);
            })
        };
        let mut waits: Vec<_> = groups.iter().map(|group| wait(*group)).collect();
        for wait in &mut waits {
            assert!(poll_immediate(wait).await.is_none());
        }
        if let Some(place) = cancelled {
            drop(waits.remove(place));
        }
        drop(first);
        join_all(waits).await;
        // The turn is free again.
        let mut next = pin!(turns.wait(0));
        assert!(poll_immediate(&mut next).await.is_some());
        order.into_inner().unwrap()
    }

    #[tokio::test]
    async fn the_groups_alternate() {
        assert_eq!(order(&[1, 1, 1, 2, 2, 3], None).await, [1, 2, 3, 1, 2, 1]);
    }

    #[tokio::test]
    async fn a_cancelled_request_passes_its_turn_on() {
        assert_eq!(order(&[1, 2, 1], Some(0)).await, [1, 2]);
        assert_eq!(order(&[1, 2], Some(0)).await, [2]);
        assert!(order(&[1], Some(0)).await.is_empty());
    }

    /// The turn was given, and its request is cancelled before it runs.
    #[tokio::test]
    async fn a_turn_that_nobody_takes_is_passed_on() {
        let turns = Turns::of(1);
        let first = turns.wait(1).await;
        let mut second = Box::pin(turns.wait(2));
        let mut third = Box::pin(turns.wait(3));
        assert!(poll_immediate(&mut second).await.is_none());
        assert!(poll_immediate(&mut third).await.is_none());
        drop(first);
        drop(second);
        assert!(poll_immediate(&mut third).await.is_some());
    }
}
