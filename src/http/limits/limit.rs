//! A rate limit with a separate count for each key.

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
    limiter: RateLimiter<u64, Store, DefaultClock, StateInformationMiddleware>,
    store: Store,
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
        let store = Store::new(rate.period);
        let interval = rate.period / rate.count.get();
        // `None` would mean a zero interval, which no valid rate has.
        let quota = Quota::with_period(interval)
            .unwrap_or(Quota::per_second(rate.count))
            .allow_burst(rate.count);
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

    /// Reverts one successful [`RateLimit::acquire`].
    pub(super) fn release(&self, key: Key) {
        let interval = Nanos::from(self.interval);
        let subtract = |arrival: Option<Nanos>| {
            let arrival = arrival.unwrap_or_default();
            Ok::<_, ()>(((), arrival.saturating_sub(interval)))
        };
        // The closure never fails, so neither does this call.
        let _ = self.store.measure_and_replace(&key.0, subtract);
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
    use super::{MAX_KEYS, Rate, RateLimit};
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
    fn a_released_request_is_allowed_again() {
        let limit = limit(2, 3600);
        let one = limit.key(1);
        assert_eq!([(); 2].map(|()| limit.acquire(one).unwrap()), [1, 0]);
        limit.release(one);
        assert_eq!(limit.acquire(one), Ok(0));
        assert!(limit.acquire(one).is_err());
        // Extra releases must not raise the limit above its count.
        for _ in 0..9 {
            limit.release(one);
        }
        assert_eq!([(); 2].map(|()| limit.acquire(one).unwrap()), [1, 0]);
        assert!(limit.acquire(one).is_err());
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
        let limit = limit(1, 3600);
        for number in 0..2 * MAX_KEYS {
            assert_eq!(limit.acquire(limit.key(number)), Ok(0));
        }
        limit.store.0.run_pending_tasks();
        assert!(limit.store.0.entry_count() <= MAX_KEYS);
        assert!(limit.acquire(limit.key(2 * MAX_KEYS - 1)).is_err());
    }
}
