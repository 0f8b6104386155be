//! The quotas of users: the maximum number of posts, and of bytes of text in posts and in stored answers
//! of requests with an `Idempotency-Key`.
//!
//! Each process keeps an estimate of the usage of each user: the last count of the rows, and the sum of
//! its own writes since. A write usually needs no query, and nothing is stored for it. The rows are
//! counted again when the estimate may be too far from them.

mod account;
mod count;
mod estimate;

use std::{sync::Arc, time::Duration};

use entity::{
    posts::ActiveModel,
    values::{PostId, UserId},
};
use moka::{policy::EvictionPolicy, sync::Cache};
use tokio::time::Instant;

use self::{
    account::Account,
    estimate::{MIN_PAUSE, Verdict},
};
use crate::{config::QuotaSettings, db::Db, error::Error, queue::Queue};
pub(super) use count::text_bytes;
pub use estimate::Usage;

/// Bytes of a stored answer without its body: the key, the hash and the headers, and their indexes.
const ANSWER_BYTES: u16 = 512;
/// Maximum number of users with an estimate, at about 400 bytes each.
const CAPACITY: u64 = 100_000;
/// An estimate that is not used for this time is dropped.
const IDLE_LIFETIME: Duration = Duration::from_hours(1);
/// Maximum number of users whose rows are counted at the same time.
const COUNTS: usize = 2;
/// Maximum number of counts that wait for others, and the maximum time. Most take less than 1 ms.
const MAX_WAITING: usize = 256;
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Maximum time for which a read of the usage waits until the rows may be counted again. Then it gets
/// the estimate. The rows of a small account can always be counted after this time.
const READ_WAIT: Duration = MIN_PAUSE;

/// Enforces the quotas. Clones share the estimates.
#[derive(Clone, Debug)]
pub struct Quotas {
    settings: QuotaSettings,
    accounts: Cache<UserId, Arc<Account>>,
    /// The counts of all users.
    places: Arc<Queue>,
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
            places: Arc::new(Queue::new(COUNTS, MAX_WAITING, MAX_WAIT)),
        }
    }

    /// The limits.
    #[must_use]
    pub fn settings(&self) -> &QuotaSettings {
        &self.settings
    }

    /// The usage of user `id`.
    ///
    /// The rows are counted for it, unless the pause after the last count is too long. Then it is the
    /// estimate: too high after a deletion or an edit, and without the writes of other servers. If no
    /// count has succeeded, it has only the writes of this process. If there are no quotas, it is the
    /// last count.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn usage(&self, db: &Db, id: UserId) -> Result<Usage, Error> {
        let account = self.account(id);
        let now = Instant::now();
        if !account.estimate().is_recent(now) {
            let count = || count::usage(db.clone(), id);
            account.recount(now + READ_WAIT, count).await?;
        }
        let usage = account.estimate().usage();
        Ok(usage)
    }

    /// Reserves a new post of `owner`.
    ///
    /// # Errors
    /// [`Error::PostQuotaExceeded`] and [`Error::TextQuotaExceeded`]; [`Error::Unavailable`] if the rows
    /// must be counted, but cannot be.
    pub(super) async fn reserve_new(
        &self,
        db: &Db,
        owner: UserId,
        post: &ActiveModel,
    ) -> Result<Reservation, Error> {
        self.reserve(db, owner, Usage::of(1, text_bytes(post)), None)
            .await
    }

    /// Reserves the stored answer to a request of `caller` with a body of `bytes`. JSON of the same text
    /// is about as long. A longer answer is [added](Reservation::add_bytes) later.
    ///
    /// # Errors
    /// [`Error::TextQuotaExceeded`]; [`Error::Unavailable`] if the rows must be counted, but cannot be.
    pub async fn reserve_answer(
        &self,
        db: &Db,
        caller: UserId,
        bytes: usize,
    ) -> Result<Reservation, Error> {
        let bytes = bytes.saturating_add(ANSWER_BYTES.into());
        self.reserve(db, caller, Usage::of(0, bytes), None).await
    }

    /// Reserves `posts` new posts of `owner`, and `bytes` of text.
    ///
    /// # Errors
    /// Those of [`reserve_new`](Self::reserve_new).
    pub(super) async fn reserve_rows(
        &self,
        db: &Db,
        owner: UserId,
        posts: u64,
        bytes: usize,
    ) -> Result<Reservation, Error> {
        self.reserve(db, owner, Usage::of(posts, bytes), None).await
    }

    /// Reserves the new text of post `id` of `owner`: as a whole if the estimate allows that, or else
    /// only its growth. Reserves nothing if the post does not exist or has another owner.
    ///
    /// # Errors
    /// Those of [`reserve_new`](Self::reserve_new).
    pub(super) async fn reserve_edit(
        &self,
        db: &Db,
        owner: UserId,
        id: PostId,
        changes: &ActiveModel,
    ) -> Result<Reservation, Error> {
        let more = Usage::of(0, text_bytes(changes));
        self.reserve(db, owner, more, Some((id, changes))).await
    }

    async fn reserve(
        &self,
        db: &Db,
        owner: UserId,
        more: Usage,
        edit: Option<(PostId, &ActiveModel)>,
    ) -> Result<Reservation, Error> {
        let is_limited = self.settings.posts.is_some() && more.posts > 0
            || self.settings.bytes.is_some() && more.bytes > 0;
        if !is_limited {
            return Ok(Reservation(None));
        }
        let account = self.account(owner);
        let now = Instant::now();
        let verdict = account.estimate().reserve(&self.settings, more, now);
        if let Verdict::Reserved = verdict {
            return Ok(Reservation(Some((account, more))));
        }
        let count = || count::usage(db.clone(), owner);
        let replaced = edit.map(|(id, changes)| count::replaced_bytes(db, owner, id, changes));
        let reserved = account.reserve_slowly(&self.settings, more, count, replaced);
        // Boxed, because it is rare, and every write would contain its large future.
        let reserved = Box::pin(reserved).await?;
        Ok(Reservation(Some((account, reserved))))
    }

    fn account(&self, id: UserId) -> Arc<Account> {
        self.accounts
            .get_with(id, || Account::new(id, Arc::clone(&self.places)).into())
    }
}

/// The usage that a write in progress adds. If it is dropped without being settled, the write
/// may have been committed or not, and the reservation is kept until the next count.
#[must_use]
pub struct Reservation(Option<(Arc<Account>, Usage)>);

impl Reservation {
    /// Adds `bytes` that the write turned out to need, even if they exceed the quota.
    pub fn add_bytes(&mut self, bytes: usize) {
        if let Some((account, usage)) = &mut self.0 {
            let more = Usage::of(0, bytes);
            account.estimate().add(more);
            *usage = usage.plus(more);
        }
    }

    /// Releases the reservation of a write that was not committed, or changed nothing.
    pub fn release(self) {
        if let Some((account, usage)) = &self.0 {
            account.estimate().release(*usage);
        }
    }

    /// Releases the reservation if the error of the write excludes that it was committed.
    pub(super) fn settle<T>(self, written: Result<T, Error>) -> Result<T, Error> {
        let may_be_committed = match &written {
            Ok(_) => true,
            Err(error) => matches!(error, Error::Unavailable(_) | Error::Internal(_)),
        };
        if !may_be_committed {
            self.release();
        }
        written
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some((account, usage)) = &self.0 {
            account.estimate().finish(*usage);
        }
    }
}
