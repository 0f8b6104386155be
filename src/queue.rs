//! A bounded number of places for work, and a bounded queue in front of them.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Places for work of one kind. Those who wait get them in the order of their arrival.
#[derive(Debug)]
pub struct Queue {
    places: Arc<Semaphore>,
    waiting: Semaphore,
    max_waiting: usize,
    max_wait: Duration,
}

/// A place. Dropping it frees it.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

impl Queue {
    /// A queue with `places`, at least one. Up to `waiting` others wait for up to `max_wait`.
    #[must_use]
    pub fn new(places: usize, waiting: usize, max_wait: Duration) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places.max(1))),
            waiting: Semaphore::new(waiting),
            max_waiting: waiting,
            max_wait,
        }
    }

    /// True if others wait for a place.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        self.waiting.available_permits() < self.max_waiting
    }

    /// Takes a place, or waits for one. `None` if too many wait, or if it takes too long.
    pub async fn enter(&self) -> Option<Place> {
        // Fails if others wait, so that nobody overtakes them.
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(Place(permit));
        }
        let _waits = self.waiting.try_acquire().ok()?;
        let permit = Arc::clone(&self.places).acquire_owned();
        let permit = timeout(self.max_wait, permit).await.ok()?.ok()?;
        Some(Place(permit))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::future::poll_immediate;
    use tokio::time::advance;

    use super::{Duration, Queue};

    const MAX_WAIT: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn places_and_waiting_are_bounded() {
        let queue = Queue::new(1, 1, MAX_WAIT);
        let first = queue.enter().await.expect("no place");
        let mut second = Box::pin(queue.enter());
        assert!(poll_immediate(&mut second).await.is_none());
        // Refused at once.
        let refused = poll_immediate(pin!(queue.enter())).await;
        assert!(refused.is_some_and(|place| place.is_none()));
        // The waiting one gives up its place in the queue when it is dropped.
        drop(second);
        let mut second = Box::pin(queue.enter());
        assert!(poll_immediate(&mut second).await.is_none());
        drop(first);
        let second = second.await.expect("no place");
        let mut third = Box::pin(queue.enter());
        assert!(poll_immediate(&mut third).await.is_none());
        advance(MAX_WAIT).await;
        assert!(third.await.is_none());
        drop(second);
        assert!(queue.enter().await.is_some());
    }
}
