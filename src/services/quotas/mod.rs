//! The quotas of users: how many posts and how many bytes of text each may store.
//!
//! Each process keeps an estimate of the usage of each user who writes: the last count of the rows,
//! and what it has written since. A write usually needs no query, and nothing is stored for it. The
//! rows are counted again when the estimate may be too far from them.

mod count;
mod tally;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::{
    posts::ActiveModel,
    values::{PostId, UserId},
};
use moka::{policy::EvictionPolicy, sync::Cache};
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, sleep_until, timeout},
};

use self::tally::{Tally, Verdict};
use crate::{config::QuotaSettings, db::Db, error::Error};
pub(super) use count::text_bytes;
pub use tally::Usage;

/// Maximum number of users with an estimate, at about 300 bytes each.
const CAPACITY: u64 = 100_000;
/// An estimate that is not used for this time is dropped.
const IDLE_LIFETIME: Duration = Duration::from_hours(1);
/// A count is cancelled after this time. 100,000 posts of 10 kB take 0.1 s; if SQLite's file is not in
/// memory, they take 3 s.
const COUNT_LIMIT: Duration = Duration::from_secs(5);
/// Maximum time for which a write waits until the rows may be counted again, before it is refused.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// The same for a read of the usage, which then gets the estimate.
const READ_PATIENCE: Duration = Duration::from_millis(100);

/// Enforces the quotas. Clones share the estimates.
#[derive(Clone, Debug)]
pub struct Quotas {
    settings: QuotaSettings,
    accounts: Cache<UserId, Arc<Account>>,
}

#[derive(Debug, Default)]
struct Account {
    tally: Mutex<Tally>,
    /// Held during a count, so that the rows of a user are counted once at a time.
    turn: AsyncMutex<()>,
}

impl Default for Quotas {
    /// Without limits.
    fn default() -> Self {
        Self::new(QuotaSettings::default())
    }
}

impl Quotas {
    /// Quotas that are the same for all users.
    #[must_use]
    pub fn new(settings: QuotaSettings) -> Self {
        let accounts = Cache::builder()
            .max_capacity(CAPACITY)
            .time_to_idle(IDLE_LIFETIME)
            // The default policy may reject a new entry.
            .eviction_policy(EvictionPolicy::lru());
        Self {
            settings,
            accounts: accounts.build(),
        }
    }

    /// The limits.
    #[must_use]
    pub fn settings(&self) -> &QuotaSettings {
        &self.settings
    }

    /// What user `id` stores.
    ///
    /// The rows are counted for it, unless the pause after the last count has not ended. Then it is the
    /// estimate: too high after a deletion or an edit, and without what other servers wrote.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::TooSlow`].
    pub async fn usage(&self, db: &Db, id: UserId) -> Result<Usage, Error> {
        let account = self.account(id);
        let now = Instant::now();
        if !account.tally().is_recent(now) {
            account.recount(db, id, now + READ_PATIENCE).await?;
        }
        let usage = account.tally().estimate();
        Ok(usage)
    }

    /// Charges a new post to `owner`.
    ///
    /// # Errors
    /// [`Error::PostQuotaExceeded`] and [`Error::TextQuotaExceeded`]; [`Error::Unavailable`] and
    /// [`Error::TooSlow`] if the rows must be counted, but cannot be.
    pub(super) async fn charge_new(
        &self,
        db: &Db,
        owner: UserId,
        post: &ActiveModel,
    ) -> Result<Charge, Error> {
        self.charge(db, owner, Usage::of(1, text_bytes(post)), None)
            .await
    }

    /// Charges the new text of post `id` to `owner`: as a whole if the estimate allows that, or else
    /// only what it adds to the replaced text. Charges nothing if the post does not exist or has
    /// another owner.
    ///
    /// # Errors
    /// Those of [`charge_new`](Self::charge_new).
    pub(super) async fn charge_edit(
        &self,
        db: &Db,
        owner: UserId,
        id: PostId,
        changes: &ActiveModel,
    ) -> Result<Charge, Error> {
        let more = Usage::of(0, text_bytes(changes));
        self.charge(db, owner, more, Some((id, changes))).await
    }

    async fn charge(
        &self,
        db: &Db,
        owner: UserId,
        more: Usage,
        edit: Option<(PostId, &ActiveModel)>,
    ) -> Result<Charge, Error> {
        let is_limited = self.settings.posts.is_some() && more.posts > 0
            || self.settings.bytes.is_some() && more.bytes > 0;
        if !is_limited {
            return Ok(Charge(None));
        }
        let account = self.account(owner);
        let now = Instant::now();
        let verdict = account.tally().charge(&self.settings, more, now);
        if let Verdict::Charged = verdict {
            return Ok(Charge(Some((account, more))));
        }
        // Boxed, because it is rare, and every write would contain its large future.
        Box::pin(self.charge_slowly(db, owner, account, more, edit)).await
    }

    /// Counts where the estimate does not suffice. A write that the estimate refuses waits for a count
    /// that begins after it, unless that would take too long.
    async fn charge_slowly(
        &self,
        db: &Db,
        owner: UserId,
        account: Arc<Account>,
        mut more: Usage,
        mut edit: Option<(PostId, &ActiveModel)>,
    ) -> Result<Charge, Error> {
        let arrived = Instant::now();
        loop {
            let verdict = account.tally().charge(&self.settings, more, Instant::now());
            match verdict {
                Verdict::Charged => break,
                Verdict::Unknown => {
                    account.recount(db, owner, arrived).await?;
                }
                Verdict::Outdated => {
                    account.count_if_free(db, owner).await;
                    let fits = account.tally().charge_anyway(&self.settings, more);
                    if fits {
                        break;
                    }
                }
                Verdict::Exceeds(error) => {
                    if let Some((id, changes)) = edit.take() {
                        let replaced = count::replaced_bytes(db, owner, id, changes).await?;
                        more.bytes = more.bytes.saturating_sub(replaced.unwrap_or(u64::MAX));
                        if more.bytes == 0 {
                            return Ok(Charge(None));
                        }
                        continue;
                    }
                    let is_certain = account.tally().excludes(&self.settings, more, arrived);
                    let deadline = arrived + WRITE_PATIENCE;
                    if is_certain || !account.recount(db, owner, deadline).await? {
                        return Err(error);
                    }
                }
            }
        }
        Ok(Charge(Some((account, more))))
    }

    fn account(&self, id: UserId) -> Arc<Account> {
        self.accounts.get_with(id, Arc::default)
    }
}

impl Account {
    /// Counts the rows, unless another request begins to count them after this call. Returns false if
    /// the pause after the last count does not end before `deadline`.
    async fn recount(&self, db: &Db, id: UserId, deadline: Instant) -> Result<bool, Error> {
        let asked = Instant::now();
        loop {
            let next = self.tally().next_count();
            if let Some(next) = next {
                if next > deadline {
                    return Ok(false);
                }
                sleep_until(next).await;
            }
            let _turn = self.turn.lock().await;
            if self.tally().was_counted_since(asked) {
                return Ok(true);
            }
            if !self.tally().pauses(Instant::now()) {
                self.count(db, id).await?;
                return Ok(true);
            }
        }
    }

    /// Counts the rows, unless another request counts them now or has done so a short time ago. If that
    /// fails, the last count stands.
    async fn count_if_free(&self, db: &Db, id: UserId) {
        let Ok(_turn) = self.turn.try_lock() else {
            return;
        };
        if self.tally().pauses(Instant::now()) {
            return;
        }
        if let Err(error) = self.count(db, id).await {
            let error = error.with_cause();
            tracing::warn!(
                user_id = id.get(),
                error,
                "cannot count the posts of a user"
            );
        }
    }

    /// Counts the rows. The caller holds the turn. If it takes too long, the last count stands, or zero
    /// if there is none: a large account must not be kept from writing.
    async fn count(&self, db: &Db, id: UserId) -> Result<(), Error> {
        let began = Instant::now();
        let included = self.tally().finished();
        if let Ok(usage) = timeout(COUNT_LIMIT, count::usage(db, id)).await {
            let usage = usage?;
            self.tally().counted(began, usage, included);
        } else {
            self.tally().not_counted(began);
            tracing::warn!(
                user_id = id.get(),
                "counting the posts of a user takes longer than {COUNT_LIMIT:?}"
            );
        }
        Ok(())
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a write in progress adds to the usage of a user. If it is dropped without
/// [`settle`](Self::settle), the write may have been committed or not, and the charge is kept.
#[must_use]
pub(super) struct Charge(Option<(Arc<Account>, Usage)>);

impl Charge {
    /// Takes the charge back if the error of the write excludes that it was committed.
    pub(super) fn settle<T>(self, written: Result<T, Error>) -> Result<T, Error> {
        let may_be_committed = match &written {
            Ok(_) => true,
            Err(error) => matches!(error, Error::Unavailable(_) | Error::Internal(_)),
        };
        if !may_be_committed && let Some((account, usage)) = &self.0 {
            account.tally().take_back(*usage);
        }
        written
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some((account, usage)) = &self.0 {
            account.tally().finish(*usage);
        }
    }
}
