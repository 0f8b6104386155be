//! Requests to merge new words into a full-text index of PostgreSQL.
//!
//! A write adds its words to a pending list, which every search reads. PostgreSQL merges the list into
//! the index during whichever write makes it too long. So that no write pays for the words of others,
//! a job merges it before, and large writes wait for the job, so that it does not fall behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use super::{Db, Transaction, batches::LARGE, queues::SLOW};
use crate::error::Error;

/// Time from a small write to the merge, which merges the words of the others meanwhile too. With 100 ms,
/// new posts at the full rate take 40 % more time of PostgreSQL. Until the merge each search reads the words.
const PERIOD: Duration = Duration::from_millis(500);
/// Maximum time for which a large write waits for a merge, which takes longer if VACUUM works on the
/// index.
const MAX_WAIT: Duration = SLOW;

/// The requests of all workers. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Merges(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// The number of requests.
    requests: AtomicU64,
    requested: Notify,
    urgent: Notify,
    /// The number of requests before the last merge.
    merged: watch::Sender<u64>,
}

impl Merges {
    /// Requests a merge of the words of a small write, which has ended.
    fn request(&self) {
        self.0.requests.fetch_add(1, Ordering::SeqCst);
        self.0.requested.notify_one();
    }

    /// Requests a merge of the words of a large write, and waits for it.
    async fn request_now(&self) {
        let mut merged = self.0.merged.subscribe();
        self.request();
        let requests = self.0.requests.load(Ordering::SeqCst);
        self.0.urgent.notify_one();
        let is_merged = merged.wait_for(|merged| *merged >= requests);
        if timeout(MAX_WAIT, is_merged).await.is_err() {
            tracing::debug!("a large write did not wait longer for the merge of its words");
        }
    }

    /// Runs `merge` when it is due, again and again. Returns its first error.
    pub async fn run<E, R>(&self, merge: impl Fn() -> R) -> Result<(), E>
    where
        R: Future<Output = Result<(), E>>,
    {
        loop {
            let requests = self.0.requests.load(Ordering::SeqCst);
            let outcome = merge().await;
            // After an error too: the writes cannot wait until it is mended.
            self.0.merged.send_replace(requests);
            outcome?;
            while self.0.requests.load(Ordering::SeqCst) == requests {
                self.0.requested.notified().await;
            }
            let _ = timeout(PERIOD, self.0.urgent.notified()).await;
        }
    }
}

impl Db {
    /// The requests to merge new words into the full-text index. `None` for SQLite, which merges in small
    /// steps during the writes.
    #[must_use]
    pub fn merges(&self) -> Option<&Merges> {
        self.merges.as_ref()
    }

    /// Like [`write_in_turn`](Self::write_in_turn), for a write that changes a text. `bytes` is its
    /// length. The turn of a large text lasts until its words are merged into the full-text index.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub async fn write_text_in_turn<T, F, R>(
        &self,
        group: i64,
        bytes: fn(&T) -> usize,
        work: F,
    ) -> Result<T, Error>
    where
        F: Fn(Transaction) -> R + Send + Sync,
        R: Future<Output = Result<T, Error>> + Send,
        T: Send,
    {
        self.text_in_turn(group, bytes, self.write(work)).await
    }

    /// Runs `write` in its turn, and merges its words.
    // Not an async function: its future would contain `write` twice.
    pub(super) fn text_in_turn<T>(
        &self,
        group: i64,
        bytes: impl Fn(&T) -> usize,
        write: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, Error>> {
        let unmerged = self.unmerged();
        let write = async {
            let _unmerged = unmerged;
            write.await
        };
        self.turns.run(group, write, move |written| {
            let is_large = written.as_ref().is_ok_and(|output| bytes(output) > LARGE);
            async move {
                if let Some(merges) = self.merges.as_ref().filter(|_| is_large) {
                    merges.request_now().await;
                }
            }
        })
    }

    /// Requests a merge when the result is dropped, after a write of a text.
    pub(super) fn unmerged(&self) -> Option<Unmerged> {
        self.merges.clone().map(Unmerged)
    }
}

/// Words that may be in the pending list. Also after a cancelled write, which PostgreSQL may commit, and
/// one that failed, because a rollback does not take its words out of the list.
pub(super) struct Unmerged(Merges);

impl Drop for Unmerged {
    fn drop(&mut self) {
        self.0.request();
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::atomic::AtomicU32};

    use tokio::time::{Instant, sleep};

    use super::*;

    /// Runs `work` beside merges that take 10 ms each. Returns the number of merges.
    async fn beside_merges(merges: &Merges, work: impl Future<Output = ()>) -> u32 {
        let count = AtomicU32::new(0);
        let merge = async || {
            sleep(Duration::from_millis(10)).await;
            count.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>(())
        };
        tokio::select! {
            _ = merges.run(merge) => {}
            () = work => {}
        }
        count.load(Ordering::SeqCst)
    }

    #[tokio::test(start_paused = true)]
    async fn small_writes_share_a_merge_and_do_not_wait() {
        let merges = Merges::default();
        let work = async {
            sleep(Duration::from_secs(1)).await;
            for _ in 0..50 {
                merges.request();
            }
            sleep(Duration::from_secs(1)).await;
        };
        // One at the start.
        assert_eq!(beside_merges(&merges, work).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_write_waits_for_a_merge_that_begins_after_it() {
        let merges = Merges::default();
        let work = async {
            // The first merge has begun.
            sleep(Duration::from_millis(1)).await;
            let began = Instant::now();
            merges.request_now().await;
            assert_eq!(began.elapsed(), Duration::from_millis(19));
        };
        assert_eq!(beside_merges(&merges, work).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_write_does_not_wait_for_ever() {
        let began = Instant::now();
        Merges::default().request_now().await;
        assert_eq!(began.elapsed(), MAX_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_merge_ends_the_wait_and_the_job() {
        let merges = Merges::default();
        let failing = merges.run(async || Err(()));
        assert_eq!(failing.await, Err(()));
        let began = Instant::now();
        let ((), outcome) = tokio::join!(
            merges.request_now(),
            merges.run(async || {
                sleep(Duration::from_millis(10)).await;
                Err(())
            }),
        );
        assert_eq!(outcome, Err(()));
        assert_eq!(began.elapsed(), Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn the_words_of_a_cancelled_write_are_merged() {
        let merges = Merges::default();
        let work = async {
            sleep(Duration::from_secs(1)).await;
            drop(Unmerged(merges.clone()));
            sleep(Duration::from_secs(1)).await;
        };
        assert_eq!(beside_merges(&merges, work).await, 2);
    }
}
