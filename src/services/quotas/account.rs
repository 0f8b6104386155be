//! Counting the rows of one user: once at a time, with pauses, and with a limit on all users together.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::values::UserId;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore},
    time::{Instant, sleep_until},
};

use super::estimate::{Estimate, Usage, Verdict};
use crate::{config::QuotaSettings, error::Error, queue::Queue};

/// Maximum time for which a write waits until the rows may be counted again, before it is refused.
const WRITE_WAIT: Duration = Duration::from_secs(10);
/// Maximum number of writes of one user that wait for the next count.
const MAX_WAITING: usize = 16;

/// The estimate of one user.
#[derive(Debug)]
pub(super) struct Account {
    id: UserId,
    estimate: Mutex<Estimate>,
    /// Held during a count, so that the rows of a user are counted once at a time.
    counting: Arc<AsyncMutex<()>>,
    waiting: Semaphore,
    /// The counts of all users.
    places: Arc<Queue>,
}

impl Account {
    pub(super) fn new(id: UserId, places: Arc<Queue>) -> Self {
        Self {
            id,
            estimate: Mutex::default(),
            counting: Arc::default(),
            waiting: Semaphore::new(MAX_WAITING),
            places,
        }
    }

    pub(super) fn estimate(&self) -> MutexGuard<'_, Estimate> {
        self.estimate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves `more`, and counts the rows by `count` where the estimate does not suffice. A write that
    /// the estimate refuses waits for a count that begins after it, unless that would take too long or
    /// too many writes wait. `replaced` reads the bytes that an edit replaces; it is `None` for a new
    /// post. Returns the reserved usage: zero for an edit without growth.
    pub(super) async fn reserve_slowly<C>(
        self: &Arc<Self>,
        quotas: &QuotaSettings,
        mut more: Usage,
        count: impl Fn() -> C,
        mut replaced: Option<impl Future<Output = Result<Option<u64>, Error>>>,
    ) -> Result<Usage, Error>
    where
        C: Future<Output = Result<Usage, Error>> + Send + 'static,
    {
        let arrived = Instant::now();
        let mut admission = None;
        loop {
            let verdict = self.estimate().reserve(quotas, more, Instant::now());
            match verdict {
                Verdict::Reserved => return Ok(more),
                Verdict::Unknown => {
                    self.recount(arrived, &count).await?;
                }
                Verdict::Outdated => {
                    self.count_if_free(&count).await;
                    let fits = self.estimate().reserve_anyway(quotas, more);
                    if fits {
                        return Ok(more);
                    }
                }
                Verdict::Exceeds(error) => {
                    if let Some(replaced) = replaced.take() {
                        let replaced = replaced.await?.unwrap_or(u64::MAX);
                        more.bytes = more.bytes.saturating_sub(replaced);
                        if more.bytes == 0 {
                            return Ok(more);
                        }
                        continue;
                    }
                    if self.estimate().excludes(quotas, more, arrived) {
                        return Err(error);
                    }
                    if admission.is_none() {
                        admission = self.waiting.try_acquire().ok();
                    }
                    let deadline = arrived + WRITE_WAIT;
                    if admission.is_none() || !self.recount(deadline, &count).await? {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Counts the rows by `count`, unless another request begins to count them after this call. Returns
    /// false if the pause after the last count does not end before `deadline`.
    pub(super) async fn recount<C>(
        self: &Arc<Self>,
        deadline: Instant,
        count: impl FnOnce() -> C,
    ) -> Result<bool, Error>
    where
        C: Future<Output = Result<Usage, Error>> + Send + 'static,
    {
        let asked = Instant::now();
        loop {
            let next = self.estimate().next_count();
            if let Some(next) = next {
                if next > deadline {
                    return Ok(false);
                }
                sleep_until(next).await;
            }
            let counting = Arc::clone(&self.counting).lock_owned().await;
            if self.estimate().was_counted_since(asked) {
                return Ok(true);
            }
            if !self.estimate().pauses(Instant::now()) {
                self.count(counting, count()).await?;
                return Ok(true);
            }
        }
    }

    /// Counts the rows by `count`, unless another request counts them now or has done so a short time
    /// ago. If that fails, the last count stands.
    pub(super) async fn count_if_free<C>(self: &Arc<Self>, count: impl FnOnce() -> C)
    where
        C: Future<Output = Result<Usage, Error>> + Send + 'static,
    {
        let Ok(counting) = Arc::clone(&self.counting).try_lock_owned() else {
            return;
        };
        if self.estimate().pauses(Instant::now()) {
            return;
        }
        if let Err(error) = self.count(counting, count()).await {
            let error = error.with_cause();
            let user_id = self.id.get();
            tracing::warn!(user_id, error, "cannot count the posts of a user");
        }
    }

    /// Counts the rows. If it takes too long, or if no place is free in time, the last count stands, or
    /// zero if there is none: a large account must not be kept from writing.
    ///
    /// A client that disconnects does not cancel the count. Otherwise there would be no pause after it.
    async fn count<C>(
        self: &Arc<Self>,
        counting: OwnedMutexGuard<()>,
        count: C,
    ) -> Result<(), Error>
    where
        C: Future<Output = Result<Usage, Error>> + Send + 'static,
    {
        let account = Arc::clone(self);
        let task = tokio::spawn(async move {
            let outcome = account.count_in_place(count).await;
            drop(counting);
            outcome
        });
        task.await.map_err(Error::internal)?
    }

    async fn count_in_place<C>(&self, count: C) -> Result<(), Error>
    where
        C: Future<Output = Result<Usage, Error>>,
    {
        let Some(_place) = self.places.enter().await else {
            // No row was read, so the pause is short.
            self.estimate().not_counted(Instant::now());
            return Ok(());
        };
        let began = Instant::now();
        let included = self.estimate().finished();
        match count.await {
            Ok(usage) => self.estimate().counted(began, usage, included),
            Err(error @ (Error::TooSlow(_) | Error::Busy)) => {
                self.estimate().not_counted(began);
                let error = error.with_cause();
                let user_id = self.id.get();
                tracing::warn!(user_id, error, "gave up counting the posts of a user");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Ready, ready},
        sync::atomic::{AtomicU64, Ordering},
    };

    use futures_util::future::join_all;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::services::quotas::estimate::MIN_PAUSE;

    const QUOTAS: QuotaSettings = QuotaSettings {
        posts: Some(1_000),
        bytes: None,
    };
    const POST: Usage = Usage { posts: 1, bytes: 0 };

    /// Rows of which each count takes `takes`.
    struct Rows {
        posts: Arc<AtomicU64>,
        takes: Duration,
        counts: Arc<AtomicU64>,
    }

    impl Rows {
        fn new(posts: u64, takes: Duration) -> Self {
            Self {
                posts: Arc::new(posts.into()),
                takes,
                counts: Arc::default(),
            }
        }

        fn count(&self) -> impl Future<Output = Result<Usage, Error>> + Send + use<> {
            let (posts, counts) = (Arc::clone(&self.posts), Arc::clone(&self.counts));
            let takes = self.takes;
            async move {
                counts.fetch_add(1, Ordering::Relaxed);
                sleep(takes).await;
                let posts = posts.load(Ordering::Relaxed);
                Ok(Usage { posts, bytes: 0 })
            }
        }

        fn counts(&self) -> u64 {
            self.counts.load(Ordering::Relaxed)
        }
    }

    fn account(places: &Arc<Queue>) -> Arc<Account> {
        let id = UserId::parse(1).expect("not an id");
        Arc::new(Account::new(id, Arc::clone(places)))
    }

    fn places() -> Arc<Queue> {
        Arc::new(Queue::new(1, 1, Duration::from_secs(1)))
    }

    async fn write(account: &Arc<Account>, rows: &Rows) -> Result<Usage, Error> {
        let replaced = None::<Ready<Result<Option<u64>, Error>>>;
        let reserved = account.reserve_slowly(&QUOTAS, POST, || rows.count(), replaced);
        let reserved = reserved.await?;
        account.estimate().finish(reserved);
        Ok(reserved)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_disconnects_does_not_cancel_a_count() {
        let rows = Rows::new(5, Duration::from_millis(20));
        let account = account(&places());
        for _ in 0..10 {
            let read = account.recount(Instant::now(), || rows.count());
            assert!(timeout(Duration::from_millis(1), read).await.is_err());
        }
        sleep(rows.takes).await;
        assert_eq!((rows.counts(), account.estimate().usage().posts), (1, 5));
        assert!(account.estimate().pauses(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_write_waits_for_a_count_after_a_short_pause() {
        let account = account(&places());
        for (takes, waits) in [(1, true), (400, true), (600, false)] {
            let rows = Rows::new(1_000, Duration::from_millis(takes));
            sleep(Duration::from_mins(1)).await;
            assert!(write(&account, &rows).await.is_err());
            // A deletion needs no bookkeeping.
            rows.posts.store(999, Ordering::Relaxed);
            let deleted = Instant::now();
            assert_eq!(write(&account, &rows).await.is_ok(), waits);
            assert_eq!(rows.counts(), 1 + u64::from(waits));
            assert!(!waits || deleted.elapsed() >= MIN_PAUSE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn few_writes_of_a_full_account_wait_and_they_share_a_count() {
        let rows = Rows::new(1_000, Duration::from_millis(1));
        let account = account(&places());
        assert!(write(&account, &rows).await.is_err());
        let writes = (0..500).map(async |_| {
            let arrived = Instant::now();
            assert!(write(&account, &rows).await.is_err());
            !arrived.elapsed().is_zero()
        });
        let waited = join_all(writes).await;
        let waited = waited.into_iter().filter(|waited| *waited);
        assert_eq!((waited.count(), rows.counts()), (MAX_WAITING, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn counts_of_all_users_are_bounded_and_a_missing_place_is_no_error() {
        let places = places();
        let other = places.enter().await.expect("no place");
        let rows = Rows::new(1_000, Duration::from_millis(1));
        let account = account(&places);
        assert!(write(&account, &rows).await.is_ok());
        assert_eq!((rows.counts(), account.estimate().usage()), (0, POST));
        drop(other);
        // It is counted as soon as the pause ends.
        assert!(write(&account, &rows).await.is_ok());
        sleep(Duration::from_secs(20)).await;
        assert!(write(&account, &rows).await.is_err());
        assert_eq!(rows.counts(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_of_a_count_is_that_of_the_request() {
        let account = account(&places());
        let fails = || ready(Err(Error::unavailable("away")));
        let read = account.recount(Instant::now(), fails).await;
        assert!(matches!(read, Err(Error::Unavailable(_))));
        assert!(account.estimate().next_count().is_none());
        let slow = || ready(Err(Error::too_slow("interrupted")));
        assert!(account.recount(Instant::now(), slow).await.is_ok());
        assert!(account.estimate().next_count().is_some());
    }
}
