//! The estimate of the usage of one user.

use std::time::Duration;

use tokio::time::Instant;

use crate::{config::QuotaSettings, error::Error};

/// The rows are counted again when this process has written 1/8 of what the last count left of a
/// quota.
const SHARE: u64 = 8;
/// They are counted again after this time, because other servers write, too.
const MAX_AGE: Duration = Duration::from_hours(1);
/// After a count there is a pause of this many times its duration. So the counts of one user take
/// less than 5 % of one connection.
const PAUSE: u32 = 20;
/// A count that takes longer is repeated for a read of the usage only after [`READ_PAUSE`].
const LONG: Duration = Duration::from_millis(50);
const READ_PAUSE: Duration = Duration::from_mins(1);

/// What a user stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The number of posts, drafts included.
    pub posts: u64,
    /// The bytes of all titles and contents, in UTF-8.
    pub bytes: u64,
}

/// A count of the rows.
#[derive(Debug)]
struct Count {
    usage: Usage,
    began: Instant,
    took: Duration,
}

/// The last count, and what this process has written since.
#[derive(Debug, Default)]
pub(super) struct Tally {
    count: Option<Count>,
    /// The charges that the last count may lack.
    since: Usage,
    /// The part of `since` whose writes are in progress. A count may include it or not.
    running: Usage,
}

/// The answer to a charge.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is added to the estimate.
    Charged,
    /// It fits, and the estimate is old or near the quota: the rows should be counted again.
    Outdated,
    /// It exceeds a quota.
    Exceeds(Error),
    /// The rows were never counted.
    Unknown,
}

impl Usage {
    pub(super) fn of(posts: u64, bytes: usize) -> Self {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Self { posts, bytes }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            posts: self.posts.saturating_add(other.posts),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            posts: self.posts.saturating_sub(other.posts),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    fn times(self, factor: u64) -> Self {
        Self {
            posts: self.posts.saturating_mul(factor),
            bytes: self.bytes.saturating_mul(factor),
        }
    }
}

impl Count {
    /// The time of the next count, at the earliest.
    fn next(&self) -> Instant {
        self.began + self.took * (PAUSE + 1)
    }
}

impl Tally {
    /// The last count and all charges that it may lack. It is never too low because of this process,
    /// and too high after a deletion, after an edit, or if a count was made during a write.
    pub(super) fn estimate(&self) -> Usage {
        let counted = self.count.as_ref().map(|count| count.usage);
        counted.unwrap_or_default().plus(self.since)
    }

    /// Adds `more`, if it fits and the estimate is good enough to tell.
    pub(super) fn charge(&mut self, quotas: &QuotaSettings, more: Usage, now: Instant) -> Verdict {
        let Some(count) = &self.count else {
            return Verdict::Unknown;
        };
        if let Some(error) = exceeded(quotas, self.estimate(), more) {
            return Verdict::Exceeds(error);
        }
        let written = self.since.plus(more).times(SHARE);
        let is_near = exceeded(quotas, count.usage, written).is_some();
        if is_near || now > count.began + MAX_AGE {
            return Verdict::Outdated;
        }
        self.add(more);
        Verdict::Charged
    }

    /// Adds `more` if it fits. Returns whether it does.
    pub(super) fn charge_anyway(&mut self, quotas: &QuotaSettings, more: Usage) -> bool {
        let fits = exceeded(quotas, self.estimate(), more).is_none();
        if fits {
            self.add(more);
        }
        fits
    }

    fn add(&mut self, more: Usage) {
        self.since = self.since.plus(more);
        self.running = self.running.plus(more);
    }

    /// True if a count that began at `arrived` or later leaves no room for `more`.
    pub(super) fn excludes(&self, quotas: &QuotaSettings, more: Usage, arrived: Instant) -> bool {
        let count = self.count.as_ref();
        count.is_some_and(|count| {
            count.began >= arrived && exceeded(quotas, count.usage, more).is_some()
        })
    }

    /// The write of `usage` did not happen.
    pub(super) fn take_back(&mut self, usage: Usage) {
        self.since = self.since.minus(usage);
    }

    /// The write of `usage` is over.
    pub(super) fn finish(&mut self, usage: Usage) {
        self.running = self.running.minus(usage);
    }

    /// The charges that a count will include if it begins now.
    pub(super) fn finished(&self) -> Usage {
        self.since.minus(self.running)
    }

    /// Replaces the last count by one that began at `began`, when [`finished`](Self::finished) was
    /// `included`.
    pub(super) fn counted(&mut self, began: Instant, usage: Usage, included: Usage) {
        let took = began.elapsed();
        self.count = Some(Count { usage, began, took });
        self.since = self.since.minus(included);
    }

    /// A count that began at `began` was given up. The last one stands, or zero if there is none.
    pub(super) fn not_counted(&mut self, began: Instant) {
        let last = self.count.as_ref().map(|count| count.usage);
        self.counted(began, last.unwrap_or_default(), Usage::default());
    }

    /// The time from which on the rows may be counted again. `None` if they were never counted.
    pub(super) fn next_count(&self) -> Option<Instant> {
        self.count.as_ref().map(Count::next)
    }

    /// True if the rows must not be counted again yet.
    pub(super) fn pauses(&self, now: Instant) -> bool {
        self.next_count().is_some_and(|next| now < next)
    }

    pub(super) fn was_counted_since(&self, time: Instant) -> bool {
        let count = self.count.as_ref();
        count.is_some_and(|count| count.began >= time)
    }

    /// True if a read of the usage should not count again yet, because the last count was long.
    pub(super) fn is_recent(&self, now: Instant) -> bool {
        let count = self.count.as_ref();
        count.is_some_and(|count| count.took > LONG && now < count.began + READ_PAUSE)
    }
}

/// The error if `more` in addition to `used` exceeds a quota. A quota of which `more` has nothing does
/// not matter.
fn exceeded(quotas: &QuotaSettings, used: Usage, more: Usage) -> Option<Error> {
    let over = |limit: Option<u64>, used: u64, more: u64| {
        limit.filter(|limit| more > 0 && used.saturating_add(more) > *limit)
    };
    if let Some(limit) = over(quotas.posts, used.posts, more.posts) {
        let used = used.posts;
        return Some(Error::PostQuotaExceeded { limit, used });
    }
    let limit = over(quotas.bytes, used.bytes, more.bytes)?;
    let used = used.bytes;
    Some(Error::TextQuotaExceeded { limit, used })
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTAS: QuotaSettings = QuotaSettings {
        posts: Some(100),
        bytes: None,
    };

    fn posts(posts: u64) -> Usage {
        Usage { posts, bytes: 1 }
    }

    fn counted(tally: &mut Tally, posts: u64, included: Usage) {
        let usage = Usage { posts, bytes: 0 };
        tally.counted(Instant::now(), usage, included);
    }

    fn charge(tally: &mut Tally, more: u64) -> String {
        let verdict = tally.charge(&QUOTAS, posts(more), Instant::now());
        let text = format!("{verdict:?}");
        text.split_once('(')
            .map_or(text.clone(), |(name, _)| name.to_owned())
    }

    #[test]
    fn an_eighth_of_the_rest_needs_no_count() {
        let mut tally = Tally::default();
        assert_eq!(charge(&mut tally, 1), "Unknown");
        counted(&mut tally, 20, Usage::default());
        for _ in 0..10 {
            assert_eq!(charge(&mut tally, 1), "Charged");
        }
        assert_eq!(charge(&mut tally, 1), "Outdated");
        assert_eq!(charge(&mut tally, 70), "Outdated");
        assert_eq!(charge(&mut tally, 71), "Exceeds");
        let later = Instant::now() + MAX_AGE + Duration::from_secs(1);
        counted(&mut tally, 0, Usage::default());
        let verdict = tally.charge(&QUOTAS, posts(1), later);
        assert!(matches!(verdict, Verdict::Outdated));
    }

    #[test]
    fn a_count_includes_the_writes_that_ended_before_it() {
        let mut tally = Tally::default();
        counted(&mut tally, 0, Usage::default());
        for more in [1, 2, 3] {
            assert!(tally.charge_anyway(&QUOTAS, posts(more)));
        }
        tally.finish(posts(1));
        tally.take_back(posts(2));
        tally.finish(posts(2));
        // The third is in progress. The fourth begins during the count.
        let included = tally.finished();
        assert_eq!(included.posts, 1);
        assert!(tally.charge_anyway(&QUOTAS, posts(4)));
        tally.finish(posts(4));
        counted(&mut tally, 1, included);
        assert_eq!(tally.estimate().posts, 1 + 3 + 4);
        // The next count includes the fourth as well.
        let included = tally.finished();
        counted(&mut tally, 1 + 4, included);
        assert_eq!(tally.estimate().posts, 1 + 3 + 4);
        tally.take_back(posts(3));
        tally.finish(posts(3));
        assert_eq!(tally.estimate().posts, 1 + 4);
        assert_eq!(tally.finished(), Usage::default());
    }

    #[test]
    fn a_count_that_takes_too_long_changes_nothing_and_pauses() {
        let mut tally = Tally::default();
        let began = Instant::now() - Duration::from_secs(5);
        tally.not_counted(began);
        assert!(tally.pauses(began + Duration::from_secs(100)));
        assert_eq!(charge(&mut tally, 2), "Charged");
        counted(&mut tally, 50, Usage::default());
        tally.not_counted(began);
        assert_eq!(tally.estimate().posts, 50 + 2);
    }

    #[test]
    fn only_a_later_count_refuses_for_certain() {
        let mut tally = Tally::default();
        counted(&mut tally, 99, Usage::default());
        let before = Instant::now() - Duration::from_secs(1);
        assert!(tally.charge_anyway(&QUOTAS, posts(1)));
        assert_eq!(charge(&mut tally, 1), "Exceeds");
        assert!(!tally.excludes(&QUOTAS, posts(1), before));
        tally.finish(posts(1));
        let included = tally.finished();
        counted(&mut tally, 100, included);
        assert!(tally.excludes(&QUOTAS, posts(1), before));
        let after = Instant::now() + Duration::from_secs(1);
        assert!(!tally.excludes(&QUOTAS, posts(1), after));
    }

    #[test]
    fn a_quota_of_posts_does_not_limit_edits() {
        let mut tally = Tally::default();
        counted(&mut tally, 200, Usage::default());
        let verdict = tally.charge(&QUOTAS, Usage { posts: 0, bytes: 9 }, Instant::now());
        assert!(matches!(verdict, Verdict::Charged));
    }
}
