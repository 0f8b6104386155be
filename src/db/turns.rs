//! Turns for writes that take long: only few run at once, one of each author, and the authors
//! alternate. So the writes of one author do not hold up those of others, and all of them together do
//! not fill the queue for SQLite's writer or the connections to PostgreSQL.

use std::{
    collections::{HashSet, VecDeque},
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sea_orm::DbBackend;
use tokio::{sync::oneshot, time::timeout};

use super::{
    held::{drop_after_statement, outlives_client},
    queues::SLOW,
};

/// The turns of one pool. Clones share them.
#[derive(Clone)]
pub(super) struct Turns {
    state: Arc<Mutex<State>>,
    outlives_client: bool,
}

struct State {
    /// The number of writes that may begin.
    free: usize,
    /// The number of writes that may pass their turn on and continue.
    free_slow: usize,
    /// The groups with a write in progress.
    active: HashSet<i64>,
    /// The waiting requests of each group, in the order in which the groups get the next turn.
    waiting: VecDeque<(i64, VecDeque<oneshot::Sender<Turn>>)>,
}

/// The right to write. Dropping it passes it on. If the write was dropped before its end, PostgreSQL may
/// run its statement for up to 1 s. For that time it counts as a slow write: it passes its turn on if it
/// may, and its group gets no other.
struct Turn {
    turns: Turns,
    group: i64,
    /// True if the turn was passed on before the end of the write.
    is_slow: bool,
    /// True during the write, and after it was dropped before its end.
    is_writing: bool,
}

impl Turns {
    /// Turns for the writes on a pool of `connections` to `backend`: a quarter of them, at least two if
    /// the pool has three or more. Slow writes continue without a turn until all writes together use half of the
    /// connections, or four. One connection is always left.
    pub(super) fn of(backend: DbBackend, connections: usize) -> Self {
        let others = connections.saturating_sub(1).max(1);
        let free = (connections / 4).max(2).min(others);
        let all = (connections / 2).max(4).min(others);
        Self {
            state: Arc::new(Mutex::new(State {
                free,
                free_slow: all.saturating_sub(free),
                active: HashSet::new(),
                waiting: VecDeque::new(),
            })),
            outlives_client: outlives_client(backend),
        }
    }

    /// Runs `write` of `group` in its turn, and then `after` with its outcome. If `write` takes longer than
    /// [`SLOW`], perhaps because it waits for a lock, it passes its turn on and continues.
    pub(super) fn run<T, A>(
        &self,
        group: i64,
        write: impl Future<Output = T>,
        after: impl FnOnce(&T) -> A,
    ) -> impl Future<Output = T>
    where
        A: Future<Output = ()>,
    {
        // Boxed, so that the future of the caller does not contain it several times.
        let mut write = Box::pin(write);
        async move {
            let mut turn = self.wait(group).await;
            turn.is_writing = true;
            let outcome = loop {
                if turn.is_slow {
                    break write.await;
                }
                match timeout(SLOW, &mut write).await {
                    Ok(outcome) => break outcome,
                    Err(_) => turn.pass_on(),
                }
            };
            turn.is_writing = false;
            after(&outcome).await;
            outcome
        }
    }

    /// Waits for a turn. The groups that wait get one turn each, then a second one each.
    async fn wait(&self, group: i64) -> Turn {
        loop {
            let waiting = {
                let mut state = self.lock();
                if state.free > 0 && state.active.insert(group) {
                    state.free -= 1;
                    return self.turn(group);
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
            if let Ok(turn) = waiting.await {
                return turn;
            }
        }
    }

    fn turn(&self, group: i64) -> Turn {
        Turn {
            turns: self.clone(),
            group,
            is_slow: false,
            is_writing: false,
        }
    }

    /// Gives the free turns to requests that wait.
    fn give(&self) {
        while let Some((request, turn)) = self.next() {
            // Not under the lock: if the request is cancelled just now, this drops the turn.
            let _ = request.send(turn);
        }
    }

    /// Takes a turn for the request that is next; `None` if no turn is free or no request may begin.
    fn next(&self) -> Option<(oneshot::Sender<Turn>, Turn)> {
        let mut state = self.lock();
        if state.free == 0 {
            return None;
        }
        loop {
            let State {
                active, waiting, ..
            } = &mut *state;
            let index = waiting
                .iter()
                .position(|(group, _)| !active.contains(group))?;
            let (group, mut requests) = waiting.remove(index)?;
            // The others were cancelled.
            let next = loop {
                match requests.pop_front() {
                    Some(request) if request.is_closed() => {}
                    next => break next,
                }
            };
            if !requests.is_empty() {
                waiting.push_back((group, requests));
            }
            if let Some(request) = next {
                active.insert(group);
                state.free -= 1;
                return Some((request, self.turn(group)));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Passes the turn on while the write continues, unless too many do.
    fn pass_on(&mut self) {
        {
            let mut state = self.turns.lock();
            if state.free_slow == 0 {
                return;
            }
            state.free_slow -= 1;
            state.free += 1;
        }
        self.is_slow = true;
        self.turns.give();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if mem::take(&mut self.is_writing) && self.turns.outlives_client {
            if !self.is_slow {
                self.pass_on();
            }
            return drop_after_statement(Self {
                turns: self.turns.clone(),
                ..*self
            });
        }
        {
            let mut state = self.turns.lock();
            state.active.remove(&self.group);
            if self.is_slow {
                state.free_slow += 1;
            } else {
                state.free += 1;
            }
        }
        self.turns.give();
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        pin::pin,
    };

    use futures_util::future::{join_all, poll_immediate};
    use tokio::{task::yield_now, time::advance};

    use super::*;
    use crate::db::CLIENT_CHECK;

    /// Takes a turn for each of `groups`, while all wait for one that is dropped. Returns the groups
    /// in the order of their turns. `cancelled` is the place of one that stops waiting.
    async fn order(groups: &[i64], cancelled: Option<usize>) -> Vec<i64> {
        let turns = Turns::of(DbBackend::Sqlite, 1);
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
        let turns = Turns::of(DbBackend::Sqlite, 1);
        let first = turns.wait(1).await;
        let mut second = Box::pin(turns.wait(2));
        let mut third = Box::pin(turns.wait(3));
        assert!(poll_immediate(&mut second).await.is_none());
        assert!(poll_immediate(&mut third).await.is_none());
        drop(first);
        drop(second);
        assert!(poll_immediate(&mut third).await.is_some());
    }

    #[tokio::test]
    async fn a_group_has_one_turn_and_slow_writes_pass_theirs_on() {
        let turns = Turns::of(DbBackend::Postgres, 8);
        let mut first = turns.wait(1).await;
        let mut again = Box::pin(turns.wait(1));
        assert!(poll_immediate(&mut again).await.is_none());
        let mut second = turns.wait(2).await;
        let mut third = Box::pin(turns.wait(3));
        assert!(poll_immediate(&mut third).await.is_none());
        first.pass_on();
        assert!(poll_immediate(&mut again).await.is_none());
        let mut third = third.await;
        second.pass_on();
        let fourth = turns.wait(4).await;
        // Half of the connections are in use.
        third.pass_on();
        assert!(poll_immediate(pin!(turns.wait(5))).await.is_none());
        drop((first, second, third, fourth));
        assert!(poll_immediate(&mut again).await.is_some());
    }

    /// True if all turns of a pool of four connections are free.
    fn are_free(turns: &Turns) -> bool {
        let state = turns.lock();
        state.active.is_empty() && (state.free, state.free_slow) == (2, 1)
    }

    #[tokio::test(start_paused = true)]
    async fn the_turn_of_a_cancelled_write_lasts_as_long_as_its_statement_may() {
        for (backend, lasts) in [(DbBackend::Postgres, true), (DbBackend::Sqlite, false)] {
            for is_slow in [false, true] {
                let turns = Turns::of(backend, 4);
                turns.run(1, ready(()), |()| ready(())).await;
                assert!(are_free(&turns));
                let mut write = Box::pin(turns.run(1, pending::<()>(), |()| ready(())));
                assert!(poll_immediate(&mut write).await.is_none());
                if is_slow {
                    advance(SLOW).await;
                    assert!(poll_immediate(&mut write).await.is_none());
                }
                drop(write);
                // The task of the turn starts its timer.
                yield_now().await;
                advance(CLIENT_CHECK / 2).await;
                assert_eq!(are_free(&turns), !lasts);
                advance(CLIENT_CHECK / 2).await;
                yield_now().await;
                assert!(are_free(&turns));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancelled_writes_pass_their_turns_on() {
        let turns = Turns::of(DbBackend::Postgres, 4);
        let mut write = Box::pin(turns.run(1, pending::<()>(), |()| ready(())));
        assert!(poll_immediate(&mut write).await.is_none());
        drop(write);
        assert_eq!(turns.lock().free, 2);
        // The same group has to wait.
        assert!(poll_immediate(pin!(turns.wait(1))).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_free_at_once_if_only_the_work_after_its_write_is_cancelled() {
        let turns = Turns::of(DbBackend::Postgres, 4);
        let mut write = Box::pin(turns.run(1, ready(()), |()| pending()));
        assert!(poll_immediate(&mut write).await.is_none());
        assert!(!are_free(&turns));
        drop(write);
        assert!(are_free(&turns));
    }

    #[test]
    fn writes_in_turn_never_use_all_connections() {
        let counts = [1, 2, 3, 4, 7, 8, 10].map(|connections| {
            let turns = Turns::of(DbBackend::Postgres, connections);
            let state = turns.lock();
            (state.free, state.free_slow)
        });
        let expected = [(1, 0), (1, 0), (2, 0), (2, 1), (2, 2), (2, 2), (2, 3)];
        assert_eq!(counts, expected);
    }
}
