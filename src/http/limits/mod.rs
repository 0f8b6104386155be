//! How often somebody may ask.
//!
//! Each process counts for itself. A request that one limit refuses counts for none.

mod address;
mod limit;

use std::{
    hash::Hash,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
    middleware::Next,
};
use ipnet::IpNet;

use super::{Problem, identity::state};
use crate::config;
use limit::{Key, Limit};

/// How much of the tightest limit is left (draft-ietf-httpapi-ratelimit-headers).
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// What the tightest limit is.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Paths of those who watch the service's health, whom nothing limits.
pub const EXEMPT: &str = "/health/";

/// Every limit, off by default. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Limits(Arc<All>);

#[derive(Debug, Default)]
struct All {
    requests: Option<Arc<Limit>>,
    sign_up: Option<Arc<Limit>>,
    sign_in: Option<Arc<Limit>>,
    sign_in_account: Option<Arc<Limit>>,
    writes: Option<Arc<Limit>>,
    trusted_proxies: Vec<IpNet>,
}

impl Limits {
    /// The limits of `settings`, nothing of which is used up.
    #[must_use]
    pub fn new(settings: &config::Limits) -> Self {
        let limit = |name, too_many, rate: Option<_>| {
            rate.map(|rate| Arc::new(Limit::new(name, too_many, rate)))
        };
        Self(Arc::new(All {
            requests: limit("requests", "requests from this address", settings.requests),
            sign_up: limit("sign-up", "sign-ups from this address", settings.sign_up),
            sign_in: limit("sign-in", "sign-ins from this address", settings.sign_in),
            sign_in_account: limit(
                "sign-in-account",
                "sign-ins for this account",
                settings.sign_in_account,
            ),
            writes: limit("writes", "writes by this user", settings.writes),
            trusted_proxies: settings.trusted_proxies.clone(),
        }))
    }
}

/// What a request has taken of one limit.
struct Taken {
    limit: Arc<Limit>,
    key: Key,
    /// How many more were free.
    free: u32,
    /// When all will be, or one if none was.
    reset: Duration,
}

/// All that a request has taken.
#[derive(Default)]
struct Used(Vec<Taken>);

impl Used {
    /// The limit with the least share left.
    fn tightest(&self) -> Option<&Taken> {
        let share = |taken: &Taken| f64::from(taken.free) / f64::from(taken.limit.rate.count.get());
        self.0
            .iter()
            .min_by(|one, other| share(one).total_cmp(&share(other)))
    }
}

/// Middleware of the whole service: the limit of requests, and headers that tell how the tightest
/// limit stands.
pub async fn requests(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.path().starts_with(EXEMPT) {
        return next
            .call(request)
            .await
            .map(ServiceResponse::map_into_boxed_body);
    }
    let mut answer = of_address(request, next, |limits| limits.requests.as_ref()).await?;
    let headers = answer.request().extensions().get::<Used>().and_then(fields);
    for (name, value) in headers.into_iter().flatten() {
        answer.headers_mut().insert(name, value);
    }
    Ok(answer)
}

/// Middleware of signing up.
pub async fn sign_up(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    of_address(request, next, |limits| limits.sign_up.as_ref()).await
}

/// Middleware of signing in.
pub async fn sign_in(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    of_address(request, next, |limits| limits.sign_in.as_ref()).await
}

/// Counts a try to sign in as `name`, whether or not there is such an account.
///
/// # Errors
/// 429 when there were too many, from whatever addresses.
pub fn account(request: &HttpRequest, name: &str) -> Result<(), Problem> {
    let limits = &state(request)?.limits.0;
    take(request, limits.sign_in_account.as_ref(), name)
}

/// Counts a request of user `id` that may change something.
///
/// # Errors
/// 429 when there were too many.
pub fn write(request: &HttpRequest, id: i64) -> Result<(), Problem> {
    let limits = &state(request)?.limits.0;
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    take(request, limits.writes.as_ref(), id)
}

/// Passes `request` on unless its address has used up the limit that `which` names.
async fn of_address(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    which: fn(&All) -> Option<&Arc<Limit>>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let taken = state(request.request()).and_then(|state| {
        let limits = &state.limits.0;
        let peer = request.peer_addr().map(|peer| peer.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let client = address::client(peer, request.headers(), &limits.trusted_proxies);
        take(request.request(), which(limits), client)
    });
    match taken {
        Ok(()) => next
            .call(request)
            .await
            .map(ServiceResponse::map_into_boxed_body),
        Err(problem) => Ok(ServiceResponse::from_err(problem, request.into_parts().0)),
    }
}

fn take(request: &HttpRequest, limit: Option<&Arc<Limit>>, who: impl Hash) -> Result<(), Problem> {
    let Some(limit) = limit else { return Ok(()) };
    let key = limit.key(who);
    let taken = |free, reset| Taken {
        limit: limit.clone(),
        key,
        free,
        reset,
    };
    let mut extensions = request.extensions_mut();
    let used = &mut extensions.get_or_insert_with(Used::default).0;
    match limit.take(key) {
        Ok(free) => {
            used.push(taken(free, limit.whole_in(free)));
            Ok(())
        }
        Err(wait) => {
            for taken in used.drain(..) {
                taken.limit.give_back(taken.key);
            }
            used.push(taken(0, wait));
            Err(Problem::too_many(limit.too_many, seconds(wait)))
        }
    }
}

/// Whole seconds, rounded up, 1 or more.
fn seconds(time: Duration) -> NonZeroU32 {
    let rounded = time
        .as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0));
    let rounded = u32::try_from(rounded).unwrap_or(u32::MAX);
    NonZeroU32::new(rounded).unwrap_or(NonZeroU32::MIN)
}

fn fields(used: &Used) -> Option<[(HeaderName, HeaderValue); 2]> {
    let Taken {
        limit, free, reset, ..
    } = used.tightest()?;
    let (name, reset) = (limit.name, seconds(*reset));
    let (count, period) = (limit.rate.count, limit.rate.period.as_secs());
    let value = |text: String| HeaderValue::try_from(text).ok();
    Some([
        (
            RATE_LIMIT_POLICY,
            value(format!("\"{name}\";q={count};w={period}"))?,
        ),
        (RATE_LIMIT, value(format!("\"{name}\";r={free};t={reset}"))?),
    ])
}

#[cfg(test)]
mod tests {
    use super::{Duration, seconds};

    #[test]
    fn seconds_are_rounded_up_and_never_none() {
        for (nanoseconds, whole) in [(0, 1), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2)] {
            assert_eq!(seconds(Duration::from_nanos(nanoseconds)).get(), whole);
        }
        assert_eq!(seconds(Duration::MAX).get(), u32::MAX);
    }
}
