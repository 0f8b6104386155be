//! Rate limits per client address, account and user, and the bounds on expensive reads and large
//! bodies.
//!
//! Each process counts separately. A request that a limit refuses still counts towards the limits
//! that were checked before.

mod address;
mod large_bodies;
mod limit;
mod per_caller;
mod streams;

use std::{
    hash::Hash,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    HttpMessage, HttpRequest,
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
};
use entity::values::UserId;
use ipnet::IpNet;

use super::Problem;
use crate::{
    config::{self, Rate},
    error::FieldError,
};
pub(super) use address::network_address;
use large_bodies::LargeBodies;
pub use large_bodies::LargeBody;
use limit::RateLimit;
pub use per_caller::InProgress;
use per_caller::PerCaller;
pub use streams::{OpenStream, Streams};

/// The remaining requests of the tightest limit (draft-ietf-httpapi-ratelimit-headers).
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The quota and window of the tightest limit.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Path prefix of the health checks, which have no rate limit.
pub const EXEMPT_PREFIX: &str = "/health/";

/// Changes of the username per user. Each gives the account a name whose sign-ins were not counted.
const RENAMES: u32 = 10;

/// Maximum number of expensive reads of one caller at the same time.
const EXPENSIVE_READS: usize = 2;

/// All rate limits, off by default, and the bounds on expensive reads and large bodies. Clones share
/// their counts.
#[derive(Clone, Debug, Default)]
pub struct Limits(Arc<LimitSet>);

#[derive(Debug, Default)]
struct LimitSet {
    requests: Option<Arc<RateLimit>>,
    sign_up: Option<Arc<RateLimit>>,
    sign_in: Option<Arc<RateLimit>>,
    sign_in_account: Option<Arc<RateLimit>>,
    passwords: Option<Arc<RateLimit>>,
    renames: Option<Arc<RateLimit>>,
    writes: Option<Arc<RateLimit>>,
    expensive: PerCaller<EXPENSIVE_READS>,
    large_bodies: LargeBodies,
    trusted_proxies: Vec<IpNet>,
}

impl Limits {
    /// Creates the limits of `settings` with all counts at zero.
    #[must_use]
    pub fn new(settings: &config::LimitSettings) -> Self {
        let limit = |name, counted, rate: Option<_>| {
            rate.map(|rate| Arc::new(RateLimit::new(name, counted, rate)))
        };
        // An account has two names, so the sign-ins that its names admit never exhaust this limit.
        let passwords = settings.sign_in_account.map(|rate| Rate {
            count: rate.count.saturating_add(rate.count.get()),
            ..rate
        });
        let renames = NonZeroU32::new(RENAMES).map(|count| Rate {
            count,
            period: Duration::from_hours(1),
        });
        Self(Arc::new(LimitSet {
            requests: limit("requests", "requests from this address", settings.requests),
            sign_up: limit("sign-up", "sign-ups from this address", settings.sign_up),
            sign_in: limit("sign-in", "sign-ins from this address", settings.sign_in),
            sign_in_account: limit(
                "sign-in-account",
                "sign-ins for this account",
                settings.sign_in_account,
            ),
            passwords: limit("passwords", "password attempts for this account", passwords),
            renames: limit("renames", "changes of the username", renames),
            writes: limit("writes", "writes by this user", settings.writes),
            expensive: PerCaller::default(),
            large_bodies: LargeBodies::default(),
            trusted_proxies: settings.trusted_proxies.clone(),
        }))
    }

    /// The name of each limit that is on, and the number of keys that it tracks.
    pub fn keys(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let set = &self.0;
        let limits = [
            &set.requests,
            &set.sign_up,
            &set.sign_in,
            &set.sign_in_account,
            &set.passwords,
            &set.renames,
            &set.writes,
        ];
        let limits = limits.into_iter().flatten();
        limits.map(|limit| (limit.name, limit.keys()))
    }
}

/// A limit that applies per client address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressLimit {
    /// All requests.
    Requests,
    /// Sign-ups.
    SignUp,
    /// Sign-ins.
    SignIn,
}

impl LimitSet {
    /// The address of the client.
    fn client_of(&self, request: &HttpRequest) -> IpAddr {
        let peer = request.peer_addr().map(|peer| peer.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        address::client(peer, request.headers(), &self.trusted_proxies)
    }

    fn for_address(&self, limit: AddressLimit) -> Option<&Arc<RateLimit>> {
        match limit {
            AddressLimit::Requests => self.requests.as_ref(),
            AddressLimit::SignUp => self.sign_up.as_ref(),
            AddressLimit::SignIn => self.sign_in.as_ref(),
        }
    }
}

/// A limit that was applied to a request.
struct Applied {
    limit: Arc<RateLimit>,
    /// The number of requests that are still allowed.
    remaining: u32,
    /// The time until the full count is available again; for a refused request, the time until the
    /// next request is allowed.
    reset: Duration,
}

/// All limits that were applied to a request.
#[derive(Default)]
struct AppliedLimits(Vec<Applied>);

impl AppliedLimits {
    /// The limit with the smallest remaining share.
    fn tightest(&self) -> Option<&Applied> {
        let share = |applied: &Applied| {
            f64::from(applied.remaining) / f64::from(applied.limit.rate.count.get())
        };
        self.0
            .iter()
            .min_by(|one, other| share(one).total_cmp(&share(other)))
    }
}

impl Limits {
    /// Counts a request from the client's address towards `limit`.
    ///
    /// # Errors
    /// 429 if the limit is exhausted.
    pub fn count_address(&self, request: &HttpRequest, limit: AddressLimit) -> Result<(), Problem> {
        acquire(
            request,
            self.0.for_address(limit),
            self.0.client_of(request),
        )
    }

    /// Begins an expensive read of `user`, or of the client's address. A caller has two at the same
    /// time, in this process.
    ///
    /// # Errors
    /// 429 if the caller has too many, after up to 1.5 s.
    pub async fn begin_expensive_read(
        &self,
        request: &HttpRequest,
        user: Option<UserId>,
    ) -> Result<InProgress<EXPENSIVE_READS>, Problem> {
        let read = self.0.expensive.begin(self.caller(request, user)).await;
        read.ok_or_else(|| Problem::too_many_expensive_reads(EXPENSIVE_READS))
    }

    /// Takes the place of a large body of `user`, of which there are 4 for each user, 8 for each
    /// client's address and 32 for all in this process.
    ///
    /// # Errors
    /// 429 if the user or the address has too many, after up to 1.5 s for each. 503 if all users have,
    /// after up to 2 s more.
    pub async fn begin_large_body(
        &self,
        request: &HttpRequest,
        user: UserId,
    ) -> Result<LargeBody, Problem> {
        let address = self.0.client_of(request);
        self.0.large_bodies.begin(user, address).await
    }

    /// Counts a sign-in with `name`, from any address. It counts whether or not an account has the
    /// name. Only a refusal shows the limit: its count would show that others sign in with the name.
    ///
    /// # Errors
    /// 429 if the limit is exhausted.
    pub fn count_sign_in(&self, request: &HttpRequest, name: &str) -> Result<(), Problem> {
        let Some(limit) = &self.0.sign_in_account else {
            return Ok(());
        };
        let acquired = limit.acquire(limit.key(name));
        acquired
            .map(drop)
            .map_err(|wait| refuse(request, limit, wait))
    }

    /// Counts an attempt at the password of `user` by an anonymous caller. False if the limit is
    /// exhausted: the attempt must then fail like one with a wrong password, because a refusal would
    /// show which names belong to one account.
    #[must_use]
    pub fn admits_password(&self, user: UserId) -> bool {
        let limit = self.0.passwords.as_ref();
        limit.is_none_or(|limit| limit.acquire(limit.key(user)).is_ok())
    }

    /// Counts an attempt at the password of `user` by a caller who is authenticated as that user.
    ///
    /// # Errors
    /// 429 if the limit is exhausted.
    pub fn count_password(&self, request: &HttpRequest, user: UserId) -> Result<(), Problem> {
        acquire(request, self.0.passwords.as_ref(), user)
    }

    /// Counts a change of the username of `user`.
    ///
    /// # Errors
    /// 429 if the limit is exhausted.
    pub fn count_rename(&self, request: &HttpRequest, user: UserId) -> Result<(), Problem> {
        acquire(request, self.0.renames.as_ref(), user)
    }

    /// Counts a request of `user`, unless its method is GET or HEAD.
    ///
    /// # Errors
    /// 429 if the limit is exhausted.
    pub fn count_write(&self, request: &HttpRequest, user: UserId) -> Result<(), Problem> {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(());
        }
        acquire(request, self.0.writes.as_ref(), user)
    }

    /// Counts the rows of a request of `user` as writes, the first of which was counted with the request.
    ///
    /// # Errors
    /// 422 if the limit never allows so many rows at once; 429 if it is exhausted.
    pub fn count_rows(
        &self,
        request: &HttpRequest,
        user: UserId,
        rows: usize,
    ) -> Result<(), Problem> {
        let more = u32::try_from(rows.saturating_sub(1)).unwrap_or(u32::MAX);
        let (Some(limit), Some(more)) = (&self.0.writes, NonZeroU32::new(more)) else {
            return Ok(());
        };
        let count = limit.rate.count.get();
        // With the request itself.
        let acquired = (more.get() < count).then(|| limit.acquire_many(limit.key(user), more));
        let Some(acquired) = acquired.flatten() else {
            let message = format!(
                "must be at most {count} rows: the limit of writes does not allow more at once"
            );
            return Err(Problem::invalid(vec![FieldError::new(
                "posts", "length", message,
            )]));
        };
        let remaining = acquired.map_err(|wait| refuse(request, limit, wait))?;
        let mut extensions = request.extensions_mut();
        let applied = &mut extensions.get_or_insert_with(AppliedLimits::default).0;
        applied.retain(|applied| !Arc::ptr_eq(&applied.limit, limit));
        applied.push(Applied {
            limit: Arc::clone(limit),
            remaining,
            reset: limit.time_to_full(remaining),
        });
        Ok(())
    }
}

/// The headers `RateLimit-Policy` and `RateLimit`, for the tightest limit applied to `request`.
pub(super) fn headers(request: &HttpRequest) -> Option<[(HeaderName, HeaderValue); 2]> {
    request
        .extensions()
        .get::<AppliedLimits>()
        .and_then(header_fields)
}

/// Counts `request` towards `limit`.
fn acquire(
    request: &HttpRequest,
    limit: Option<&Arc<RateLimit>>,
    subject: impl Hash,
) -> Result<(), Problem> {
    let Some(limit) = limit else { return Ok(()) };
    let remaining = limit
        .acquire(limit.key(subject))
        .map_err(|wait| refuse(request, limit, wait))?;
    let applied = Applied {
        limit: Arc::clone(limit),
        remaining,
        reset: limit.time_to_full(remaining),
    };
    let mut extensions = request.extensions_mut();
    let earlier = &mut extensions.get_or_insert_with(AppliedLimits::default).0;
    earlier.push(applied);
    Ok(())
}

/// The refusal of `request` by `limit`, which its headers then show instead of any other limit.
fn refuse(request: &HttpRequest, limit: &Arc<RateLimit>, wait: Duration) -> Problem {
    let applied = Applied {
        limit: Arc::clone(limit),
        remaining: 0,
        reset: wait,
    };
    let mut extensions = request.extensions_mut();
    extensions.insert(AppliedLimits(vec![applied]));
    Problem::too_many(limit.counted, seconds(wait))
}

/// Rounds up to whole seconds, at least 1.
fn seconds(time: Duration) -> NonZeroU32 {
    let rounded = time
        .as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0));
    let rounded = u32::try_from(rounded).unwrap_or(u32::MAX);
    NonZeroU32::new(rounded).unwrap_or(NonZeroU32::MIN)
}

fn header_fields(applied: &AppliedLimits) -> Option<[(HeaderName, HeaderValue); 2]> {
    let Applied {
        limit,
        remaining,
        reset,
        ..
    } = applied.tightest()?;
    let (name, reset) = (limit.name, seconds(*reset));
    let (count, period) = (limit.rate.count, limit.rate.period.as_secs());
    let value = |text: String| HeaderValue::try_from(text).ok();
    Some([
        (
            RATE_LIMIT_POLICY,
            value(format!("\"{name}\";q={count};w={period}"))?,
        ),
        (
            RATE_LIMIT,
            value(format!("\"{name}\";r={remaining};t={reset}"))?,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::{Duration, seconds};

    #[test]
    fn seconds_are_rounded_up_and_at_least_one() {
        for (nanoseconds, whole) in [(0, 1), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2)] {
            assert_eq!(seconds(Duration::from_nanos(nanoseconds)).get(), whole);
        }
        assert_eq!(seconds(Duration::MAX).get(), u32::MAX);
    }
}
