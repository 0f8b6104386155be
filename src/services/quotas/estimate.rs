//! The estimate of the usage of one user.

use std::time::Duration;

use tokio::time::Instant;

use crate::{config::QuotaSettings, error::Error};

/// The rows are counted again when this process has written 1/8 of what the last count left of a
/// quota.
const SHARE: u64 = 8;
/// They are counted again after this time, because other servers write, too.
const MAX_AGE: Duration = Duration::from_hours(1);
/// After a count there is a pause of this many times its duration, so that the counts of one user take
/// less than 5 % of one connection.
const PAUSE: u32 = 20;
/// Minimum pause after a count.
pub(super) const MIN_PAUSE: Duration = Duration::from_millis(100);
/// A count that takes longer is repeated for a read of the usage only after [`READ_PAUSE`].
const LONG: Duration = Duration::from_millis(50);
const READ_PAUSE: Duration = Duration::from_mins(1);

/// The usage of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The number of posts, drafts included.
    pub posts: u64,
    /// The bytes of all titles, contents and metadata, in UTF-8, and of all stored answers.
    pub bytes: u64,
}

/// The last attempt to count the rows.
#[derive(Debug)]
struct Counted {
    /// The result. If the attempt was given up, that of the last complete one, or zero.
    usage: Usage,
    is_complete: bool,
    began: Instant,
    took: Duration,
    /// The earliest time of the next attempt.
    next: Instant,
}

/// The last count, and the reservations of this process since.
#[derive(Debug, Default)]
pub(super) struct Estimate {
    counted: Option<Counted>,
    /// The reservations that the last count may lack.
    since: Usage,
    /// The part of `since` that belongs to writes in progress. A count may include it or not.
    running: Usage,
}

/// The answer to a reservation.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is added to the estimate.
    Reserved,
    /// It fits, but the rows should be counted again: the estimate is old or near the quota, or the last
    /// count was given up.
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

impl Estimate {
    /// The last count and all reservations that it may lack. It is never too low because of this process,
    /// unless the count was given up. It is too high after a deletion, after an edit, or if a count was
    /// made during a write.
    pub(super) fn usage(&self) -> Usage {
        self.last_count().plus(self.since)
    }

    fn last_count(&self) -> Usage {
        let usage = self.counted.as_ref().map(|counted| counted.usage);
        usage.unwrap_or_default()
    }

    /// Adds `more`, if it fits and the estimate is good enough to tell.
    pub(super) fn reserve(&mut self, quotas: &QuotaSettings, more: Usage, now: Instant) -> Verdict {
        let Some(counted) = &self.counted else {
            return Verdict::Unknown;
        };
        if let Some(error) = exceeded(quotas, self.usage(), more) {
            return Verdict::Exceeds(error);
        }
        let written = self.since.plus(more).times(SHARE);
        let is_near = exceeded(quotas, counted.usage, written).is_some();
        if is_near || !counted.is_complete || now > counted.began + MAX_AGE {
            return Verdict::Outdated;
        }
        self.add(more);
        Verdict::Reserved
    }

    /// Adds `more` if it fits. Returns whether it does.
    pub(super) fn reserve_anyway(&mut self, quotas: &QuotaSettings, more: Usage) -> bool {
        let fits = exceeded(quotas, self.usage(), more).is_none();
        if fits {
            self.add(more);
        }
        fits
    }

    /// Adds `more`, even if it does not fit.
    pub(super) fn add(&mut self, more: Usage) {
        self.since = self.since.plus(more);
        self.running = self.running.plus(more);
    }

    /// True if a count that began at `arrived` or later leaves no room for `more`.
    pub(super) fn excludes(&self, quotas: &QuotaSettings, more: Usage, arrived: Instant) -> bool {
        let counted = self.counted.as_ref();
        counted.is_some_and(|counted| {
            counted.is_complete
                && counted.began >= arrived
                && exceeded(quotas, counted.usage, more).is_some()
        })
    }

    /// Removes a reservation of a write that did not happen.
    pub(super) fn release(&mut self, usage: Usage) {
        self.since = self.since.minus(usage);
    }

    /// The write of `usage` is over.
    pub(super) fn finish(&mut self, usage: Usage) {
        self.running = self.running.minus(usage);
    }

    /// The reservations that a count will include if it begins now.
    pub(super) fn finished(&self) -> Usage {
        self.since.minus(self.running)
    }

    /// Replaces the last count by one that began at `began`, when [`finished`](Self::finished) was
    /// `included`.
    pub(super) fn counted(&mut self, began: Instant, usage: Usage, included: Usage) {
        self.tried(began, usage, true);
        self.since = self.since.minus(included);
    }

    /// A count that began at `began` was given up. The last one stands, or zero if there is none.
    pub(super) fn not_counted(&mut self, began: Instant) {
        self.tried(began, self.last_count(), false);
    }

    fn tried(&mut self, began: Instant, usage: Usage, is_complete: bool) {
        let now = Instant::now();
        let took = now - began;
        self.counted = Some(Counted {
            usage,
            is_complete,
            began,
            took,
            next: now + MIN_PAUSE.max(took * PAUSE),
        });
    }

    /// The time from which on the rows may be counted again. `None` if they were never counted.
    pub(super) fn next_count(&self) -> Option<Instant> {
        self.counted.as_ref().map(|counted| counted.next)
    }

    /// True if the rows must not be counted again yet.
    pub(super) fn pauses(&self, now: Instant) -> bool {
        self.next_count().is_some_and(|next| now < next)
    }

    /// True if a count began at `time` or later, even if it was given up.
    pub(super) fn was_counted_since(&self, time: Instant) -> bool {
        let counted = self.counted.as_ref();
        counted.is_some_and(|counted| counted.began >= time)
    }

    /// True if a read of the usage should not count again yet, because the last count was long.
    pub(super) fn is_recent(&self, now: Instant) -> bool {
        let counted = self.counted.as_ref();
        counted.is_some_and(|counted| {
            counted.is_complete && counted.took > LONG && now < counted.began + READ_PAUSE
        })
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

    fn counted(estimate: &mut Estimate, posts: u64, included: Usage) {
        let usage = Usage { posts, bytes: 0 };
        estimate.counted(Instant::now(), usage, included);
    }

    fn reserve(estimate: &mut Estimate, more: u64) -> String {
        let verdict = estimate.reserve(&QUOTAS, posts(more), Instant::now());
        let text = format!("{verdict:?}");
        text.split_once('(')
            .map_or(text.clone(), |(name, _)| name.to_owned())
    }

    #[test]
    fn an_eighth_of_the_rest_needs_no_count() {
        let mut estimate = Estimate::default();
        assert_eq!(reserve(&mut estimate, 1), "Unknown");
        counted(&mut estimate, 20, Usage::default());
        for _ in 0..10 {
            assert_eq!(reserve(&mut estimate, 1), "Reserved");
        }
        assert_eq!(reserve(&mut estimate, 1), "Outdated");
        assert_eq!(reserve(&mut estimate, 70), "Outdated");
        assert_eq!(reserve(&mut estimate, 71), "Exceeds");
        let later = Instant::now() + MAX_AGE + Duration::from_secs(1);
        counted(&mut estimate, 0, Usage::default());
        let verdict = estimate.reserve(&QUOTAS, posts(1), later);
        assert!(matches!(verdict, Verdict::Outdated));
    }

    #[test]
    fn a_count_includes_the_writes_that_ended_before_it() {
        let mut estimate = Estimate::default();
        counted(&mut estimate, 0, Usage::default());
        for more in [1, 2, 3] {
            assert!(estimate.reserve_anyway(&QUOTAS, posts(more)));
        }
        estimate.finish(posts(1));
        estimate.release(posts(2));
        estimate.finish(posts(2));
        // The third is in progress. The fourth begins during the count.
        let included = estimate.finished();
        assert_eq!(included.posts, 1);
        assert!(estimate.reserve_anyway(&QUOTAS, posts(4)));
        estimate.finish(posts(4));
        counted(&mut estimate, 1, included);
        assert_eq!(estimate.usage().posts, 1 + 3 + 4);
        // The next count includes the fourth as well.
        let included = estimate.finished();
        counted(&mut estimate, 1 + 4, included);
        assert_eq!(estimate.usage().posts, 1 + 3 + 4);
        estimate.release(posts(3));
        estimate.finish(posts(3));
        assert_eq!(estimate.usage().posts, 1 + 4);
        assert_eq!(estimate.finished(), Usage::default());
    }

    #[test]
    fn an_estimate_is_outdated_until_a_count_is_complete() {
        let mut estimate = Estimate::default();
        let began = Instant::now() - Duration::from_secs(5);
        estimate.not_counted(began);
        assert!(estimate.pauses(began + Duration::from_secs(100)));
        for _ in 0..2 {
            assert_eq!(reserve(&mut estimate, 1), "Outdated");
            assert!(estimate.reserve_anyway(&QUOTAS, posts(1)));
        }
        counted(&mut estimate, 50, Usage::default());
        assert_eq!(reserve(&mut estimate, 1), "Reserved");
        estimate.not_counted(began);
        assert_eq!(estimate.usage().posts, 50 + 2 + 1);
        assert_eq!(reserve(&mut estimate, 1), "Outdated");
        assert!(!estimate.is_recent(began));
    }

    #[test]
    fn a_count_that_was_given_up_refuses_nothing_for_certain() {
        let mut estimate = Estimate::default();
        counted(&mut estimate, 100, Usage::default());
        let before = Instant::now() - Duration::from_secs(1);
        assert!(estimate.excludes(&QUOTAS, posts(1), before));
        estimate.not_counted(Instant::now());
        assert_eq!(reserve(&mut estimate, 1), "Exceeds");
        assert!(!estimate.excludes(&QUOTAS, posts(1), before));
    }

    #[test]
    fn only_a_later_count_refuses_for_certain() {
        let mut estimate = Estimate::default();
        counted(&mut estimate, 99, Usage::default());
        let before = Instant::now() - Duration::from_secs(1);
        assert!(estimate.reserve_anyway(&QUOTAS, posts(1)));
        assert_eq!(reserve(&mut estimate, 1), "Exceeds");
        assert!(!estimate.excludes(&QUOTAS, posts(1), before));
        estimate.finish(posts(1));
        let included = estimate.finished();
        counted(&mut estimate, 100, included);
        assert!(estimate.excludes(&QUOTAS, posts(1), before));
        let after = Instant::now() + Duration::from_secs(1);
        assert!(!estimate.excludes(&QUOTAS, posts(1), after));
    }

    #[test]
    fn a_quota_of_posts_does_not_limit_edits() {
        let mut estimate = Estimate::default();
        counted(&mut estimate, 200, Usage::default());
        let verdict = estimate.reserve(&QUOTAS, Usage { posts: 0, bytes: 9 }, Instant::now());
        assert!(matches!(verdict, Verdict::Reserved));
    }
}
