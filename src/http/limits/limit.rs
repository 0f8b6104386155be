//! A rate limit with a separate count for each key.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    num::NonZeroU32,
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

/// Maximum number of keys that a limit tracks, at about 200 bytes each. The least recently used key
/// is evicted first, which resets its count.
const MAX_KEYS: u64 = 100_000;

/// A rate limit with a separate count for each key.
///
/// It uses the generic cell rate algorithm, which has no fixed windows that reset for all keys at
/// once.
pub(super) struct RateLimit {
    /// The name in the `RateLimit` header fields.
    pub name: &'static str,
    /// The counted requests, as in "too many *sign-ins from this address*".
    pub counted: &'static str,
    pub rate: Rate,
    store: Store,
    limiter: RateLimiter<u64, Store, DefaultClock, StateInformationMiddleware>,
    /// Hashes the keys, because names can be long. Its seed is random for each process.
    hasher: RandomState,
    /// The time until one more request is allowed.
    interval: Duration,
}

/// The hash of a client address, account name or user id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(u64);

impl RateLimit {
    pub(super) fn new(name: &'static str, counted: &'static str, rate: Rate) -> Self {
        let interval = rate.period / rate.count.get();
        // `None` would mean a zero interval, which no valid rate has.
        let quota = Quota::with_period(interval)
            .unwrap_or(Quota::per_second(rate.count))
            .allow_burst(rate.count);
        let store = Store::new(rate.period);
        Self {
            name,
            counted,
            rate,
            limiter: RateLimiter::new(quota, store.clone(), DefaultClock::default()),
            store,
            hasher: RandomState::new(),
            interval,
        }
    }

    pub(super) fn key(&self, subject: impl Hash) -> Key {
        Key(self.hasher.hash_one(subject))
    }

    /// Counts one request of `key` and returns the number of remaining requests.
    ///
    /// # Errors
    /// If the limit is exhausted: the time until the next request is allowed. Nothing is counted.
    pub(super) fn acquire(&self, key: Key) -> Result<u32, Duration> {
        self.limiter
            .check_key(&key.0)
            .map(|state| state.remaining_burst_capacity())
            .map_err(|refused| refused.wait_time_from(self.limiter.clock().now()))
    }

    /// Counts `more` requests of `key` and returns the number of remaining requests. `None` if the limit never
    /// allows so many at once.
    ///
    /// # Errors
    /// If the limit is exhausted: the time until one more than these is allowed, because the next attempt is
    /// counted first as a request itself. Nothing is counted.
    pub(super) fn acquire_many(&self, key: Key, more: NonZeroU32) -> Option<Result<u32, Duration>> {
        let checked = self.limiter.check_key_n(&key.0, more).ok()?;
        let acquired = checked.map(|state| state.remaining_burst_capacity());
        let now = self.limiter.clock().now();
        Some(acquired.map_err(|refused| refused.wait_time_from(now) + self.interval))
    }

    /// The number of keys that it tracks.
    pub(super) fn keys(&self) -> u64 {
        // Drops those that are idle.
        self.store.0.run_pending_tasks();
        self.store.0.entry_count()
    }

    /// The time until the full count is available again, if `remaining` requests are allowed now.
    pub(super) fn time_to_full(&self, remaining: u32) -> Duration {
        self.interval * self.rate.count.get().saturating_sub(remaining)
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.rate)
    }
}

/// The state of each key, shared by all workers.
#[derive(Clone)]
struct Store(Cache<u64, Arc<InMemoryState>>);

impl Store {
    /// Drops keys that are idle for a whole `period`: their full count is available again.
    fn new(period: Duration) -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_KEYS)
            // The default policy (TinyLFU) may reject a new key in favour of a more frequent one.
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
    use super::{MAX_KEYS, Nanos, Rate, RateLimit, StateStore, Store};
    use std::{num::NonZeroU32, time::Duration};

    fn limit(count: u32, seconds: u64) -> RateLimit {
        let rate = Rate {
            count: NonZeroU32::new(count).unwrap(),
            period: Duration::from_secs(seconds),
        };
        RateLimit::new("limit", "too many", rate)
    }

    #[test]
    fn requests_over_the_limit_are_refused_and_not_counted() {
        let limit = limit(3, 3600);
        let (one, other) = (limit.key("one"), limit.key("other"));
        assert_eq!([(); 3].map(|()| limit.acquire(one).unwrap()), [2, 1, 0]);
        for _ in 0..5 {
            let wait = limit.acquire(one).unwrap_err().as_secs();
            assert!((1190..=1200).contains(&wait), "{wait}");
        }
        assert_eq!(limit.acquire(other), Ok(2));
        assert_eq!(limit.time_to_full(0).as_secs(), 3600);
    }

    #[test]
    fn many_requests_are_admitted_after_the_wait() {
        let limit = limit(10, 36_000);
        let one = limit.key(1);
        let more = |count| NonZeroU32::new(count).unwrap();
        assert_eq!(limit.acquire(one), Ok(9));
        assert_eq!(limit.acquire_many(one, more(4)), Some(Ok(5)));
        // The next attempt takes 1 and then 9: 5 more than there are.
        let wait = limit.acquire_many(one, more(9)).unwrap().unwrap_err();
        assert!((17_000..=18_000).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(
            limit.acquire_many(one, more(10)).map(|it| it.is_ok()),
            Some(false)
        );
        assert_eq!(limit.acquire_many(one, more(11)), None);
        assert_eq!(limit.acquire_many(one, more(5)), Some(Ok(0)));
    }

    #[test]
    fn requests_become_available_one_by_one() {
        let limit = limit(2, 1);
        let one = limit.key(1);
        let wait = std::iter::repeat_with(|| limit.acquire(one))
            .take(1000)
            .find_map(Result::err)
            .unwrap();
        assert!(wait <= Duration::from_millis(500), "{wait:?}");
        std::thread::sleep(wait);
        assert_eq!(limit.acquire(one), Ok(0));
    }

    #[test]
    fn the_highest_rate_is_enforced() {
        assert_eq!(limit(1_000_000, 1).interval, Duration::from_micros(1));
        assert_eq!(
            limit(1_000_000, 3600).acquire(limit(1, 1).key(1)),
            Ok(999_999)
        );
    }

    #[test]
    fn at_most_max_keys_are_tracked() {
        let store = Store::new(Duration::from_hours(1));
        let newest = 2 * MAX_KEYS - 1;
        let state_of = |key| {
            let arrival = Nanos::from(Duration::from_secs(1));
            let measured = store.measure_and_replace(&key, |last| Ok::<_, ()>((last, arrival)));
            measured.unwrap()
        };
        for key in 0..=newest {
            assert_eq!(state_of(key), None);
        }
        store.0.run_pending_tasks();
        assert!(store.0.entry_count() <= MAX_KEYS);
        assert!(state_of(newest).is_some());
    }
}
