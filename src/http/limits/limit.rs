//! One limit: how often each of many may do something.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use moka::{policy::EvictionPolicy, sync::Cache};

use crate::config::Rate;

/// Of how many a limit keeps count, some 200 bytes each. Those not heard of for the longest time
/// are forgotten first, and forgiven.
const KEYS: u64 = 100_000;

/// How often each of many may do something: the generic cell rate algorithm, which has no windows
/// that begin at once for all.
pub(super) struct Limit {
    /// What clients and programs call it.
    pub name: &'static str,
    /// What somebody did too often, and where, as in "too many sign-ins from this address".
    pub too_many: &'static str,
    pub rate: Rate,
    limiter: RateLimiter<u64, Store, DefaultClock, StateInformationMiddleware>,
    store: Store,
    /// Names can be long; what is kept of them is their hash, under a secret of this run.
    hasher: RandomState,
    /// After what time one more is free.
    interval: Duration,
}

/// Who does it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(u64);

impl Limit {
    pub(super) fn new(name: &'static str, too_many: &'static str, rate: Rate) -> Self {
        let store = Store::new(rate.period);
        let interval = rate.period / rate.count.get();
        // `None` is for no time at all, which no rate comes down to.
        let quota = Quota::with_period(interval)
            .unwrap_or(Quota::per_second(rate.count))
            .allow_burst(rate.count);
        Self {
            name,
            too_many,
            rate,
            limiter: RateLimiter::new(quota, store.clone(), DefaultClock::default()),
            store,
            hasher: RandomState::new(),
            interval,
        }
    }

    pub(super) fn key(&self, who: impl Hash) -> Key {
        Key(self.hasher.hash_one(who))
    }

    /// Counts one more of `key`, and gives how many more are free now.
    ///
    /// # Errors
    /// Too many: the time until one is free, and nothing is counted.
    pub(super) fn take(&self, key: Key) -> Result<u32, Duration> {
        self.limiter
            .check_key(&key.0)
            .map(|state| state.remaining_burst_capacity())
            .map_err(|refused| refused.wait_time_from(self.limiter.clock().now()))
    }

    /// Takes back one that [`Limit::take`] counted.
    pub(super) fn give_back(&self, key: Key) {
        let interval = Nanos::from(self.interval);
        let earlier = |arrival: Option<Nanos>| {
            let arrival = arrival.unwrap_or_default();
            Ok::<_, ()>(((), arrival.saturating_sub(interval)))
        };
        // It cannot fail: the closure does not.
        let _ = self.store.measure_and_replace(&key.0, earlier);
    }

    /// In what time all that is free of `free` to the rate's count will be free again.
    pub(super) fn whole_in(&self, free: u32) -> Duration {
        self.interval * self.rate.count.get().saturating_sub(free)
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.rate)
    }
}

/// When the next of each is due, shared by all workers.
#[derive(Clone)]
struct Store(Cache<u64, Arc<InMemoryState>>);

impl Store {
    /// Whoever does nothing for a whole `period` has all of the rate free again, as if unknown.
    fn new(period: Duration) -> Self {
        let cache = Cache::builder()
            .max_capacity(KEYS)
            // The usual policy would turn a new key away for one that was seen more often.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(period);
        Self(cache.build())
    }
}

impl StateStore for Store {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let state = self.0.get_with(*key, Arc::default);
        state.measure_and_replace(&NotKeyed::NonKey, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{KEYS, Limit, Rate};
    use std::{num::NonZeroU32, time::Duration};

    fn limit(count: u32, seconds: u64) -> Limit {
        let rate = Rate {
            count: NonZeroU32::new(count).unwrap(),
            period: Duration::from_secs(seconds),
        };
        Limit::new("limit", "too many", rate)
    }

    #[test]
    fn one_more_than_the_count_is_refused_and_counts_nothing() {
        let limit = limit(3, 3600);
        let (one, other) = (limit.key("one"), limit.key("other"));
        assert_eq!([(); 3].map(|()| limit.take(one).unwrap()), [2, 1, 0]);
        for _ in 0..5 {
            let wait = limit.take(one).unwrap_err().as_secs();
            assert!((1190..=1200).contains(&wait), "{wait}");
        }
        assert_eq!(limit.take(other), Ok(2));
        assert_eq!(limit.whole_in(0).as_secs(), 3600);
    }

    #[test]
    fn what_is_given_back_is_free_again() {
        let limit = limit(2, 3600);
        let one = limit.key(1);
        assert_eq!([(); 2].map(|()| limit.take(one).unwrap()), [1, 0]);
        limit.give_back(one);
        assert_eq!(limit.take(one), Ok(0));
        assert!(limit.take(one).is_err());
        // More than all cannot be free.
        for _ in 0..9 {
            limit.give_back(one);
        }
        assert_eq!([(); 2].map(|()| limit.take(one).unwrap()), [1, 0]);
        assert!(limit.take(one).is_err());
    }

    #[test]
    fn time_frees_them_one_by_one() {
        let limit = limit(2, 1);
        let one = limit.key(1);
        let wait = std::iter::repeat_with(|| limit.take(one))
            .take(1000)
            .find_map(Result::err)
            .unwrap();
        assert!(wait <= Duration::from_millis(500), "{wait:?}");
        std::thread::sleep(wait);
        assert_eq!(limit.take(one), Ok(0));
    }

    #[test]
    fn the_highest_rate_still_counts() {
        assert_eq!(limit(1_000_000, 1).interval, Duration::from_micros(1));
        assert_eq!(limit(1_000_000, 3600).take(limit(1, 1).key(1)), Ok(999_999));
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let limit = limit(1, 3600);
        for number in 0..2 * KEYS {
            assert_eq!(limit.take(limit.key(number)), Ok(0));
        }
        limit.store.0.run_pending_tasks();
        assert!(limit.store.0.entry_count() <= KEYS);
        assert!(limit.take(limit.key(2 * KEYS - 1)).is_err());
    }
}
