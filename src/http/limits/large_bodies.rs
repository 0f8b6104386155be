//! The bound on large request bodies in memory.

use std::{net::IpAddr, sync::Arc, time::Duration};

use entity::values::UserId;
use tokio::time::{Instant, sleep_until};

use super::per_caller::{Caller, InProgress, PerCaller};
use crate::{
    http::Problem,
    queue::{Place, Queue},
};

/// Maximum number of large bodies at the same time. With the maximum size of a body they take 32 MiB.
const RUNNING: usize = 32;
/// Maximum number of large bodies of one user at the same time.
const RUNNING_PER_USER: usize = 4;
/// Maximum number of large bodies of one address at the same time.
const RUNNING_PER_ADDRESS: usize = RUNNING / 4;
/// Maximum number of bodies that wait. Each keeps what it has: the size of a small body, and the
/// buffers of its connection.
const WAITING: usize = 256;
/// Maximum time to wait. Much shorter than a body may take to arrive, so that slow bodies of others
/// do not use up the time of this one.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// While others wait, a body loses its place unless [`MIN_RECEIVED`] bytes arrive in each period of
/// this length. Shorter than [`MAX_WAIT`], so that those who wait get the place.
const PERIOD: Duration = Duration::from_secs(1);
/// See [`PERIOD`]. A body of the maximum size needs three times this rate to arrive in time.
const MIN_RECEIVED: usize = 32 * 1024;

/// The large bodies of all users.
#[derive(Debug)]
pub(super) struct LargeBodies {
    of_users: PerCaller<RUNNING_PER_USER>,
    of_addresses: PerCaller<RUNNING_PER_ADDRESS>,
    all: Arc<Queue>,
}

/// The place of a large body. Dropping it frees it.
#[derive(Debug)]
pub struct LargeBody {
    all: Arc<Queue>,
    /// Bytes that arrived in the current period.
    received: usize,
    period_ends: Instant,
    _of_user: InProgress<RUNNING_PER_USER>,
    _of_address: InProgress<RUNNING_PER_ADDRESS>,
    _of_all: Place,
}

impl LargeBody {
    /// Counts bytes that arrived.
    pub fn received(&mut self, bytes: usize) {
        self.received += bytes;
    }

    /// Waits until the body is too slow to keep its place: others wait for it, and less than 32 KiB
    /// arrived in the last second.
    pub async fn too_slow(&mut self) {
        loop {
            sleep_until(self.period_ends).await;
            if self.received < MIN_RECEIVED && self.all.has_waiting() {
                return;
            }
            self.received = 0;
            self.period_ends = Instant::now() + PERIOD;
        }
    }
}

impl Default for LargeBodies {
    fn default() -> Self {
        Self {
            of_users: PerCaller::default(),
            of_addresses: PerCaller::default(),
            all: Arc::new(Queue::new(RUNNING, WAITING, MAX_WAIT)),
        }
    }
}

impl LargeBodies {
    /// Takes a place for a body of `user` from `address`, or waits for one.
    ///
    /// # Errors
    /// 429 if the user or the address has too many, and 503 if all users have, each after a bounded
    /// wait.
    pub(super) async fn begin(&self, user: UserId, address: IpAddr) -> Result<LargeBody, Problem> {
        // The narrower bound first: a body that waits for others of its user must not hold a place of
        // its address or of all.
        let of_user = self.of_users.begin(Caller::User(user)).await;
        let of_user =
            of_user.ok_or_else(|| Problem::too_many_large_bodies("you have", RUNNING_PER_USER))?;
        let of_address = self.of_addresses.begin(Caller::Address(address)).await;
        let of_address = of_address.ok_or_else(|| {
            Problem::too_many_large_bodies("your address has", RUNNING_PER_ADDRESS)
        })?;
        let of_all = self.all.enter().await;
        let of_all =
            of_all.ok_or_else(|| Problem::busy("the service is busy with other large bodies"))?;
        Ok(LargeBody {
            all: Arc::clone(&self.all),
            received: 0,
            period_ends: Instant::now() + PERIOD,
            _of_user: of_user,
            _of_address: of_address,
            _of_all: of_all,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use actix_web::{ResponseError, http::StatusCode};
    use futures_util::future::poll_immediate;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_makes_room_only_if_others_wait() {
        let all = LargeBodies::default();
        let begin = |n: usize| {
            let user = UserId::parse(i64::try_from(n / RUNNING_PER_USER + 1).unwrap()).unwrap();
            let address = u8::try_from(n / RUNNING_PER_ADDRESS).unwrap();
            all.begin(user, Ipv4Addr::new(192, 0, 2, address).into())
        };
        let mut open = Vec::new();
        for n in 0..RUNNING {
            open.push(begin(n).await.expect("refused"));
        }
        let (mut slow, mut fast) = (open.remove(0), open.remove(0));
        assert!(timeout(PERIOD * 9, slow.too_slow()).await.is_err());
        let mut other = Box::pin(begin(RUNNING));
        assert!(poll_immediate(&mut other).await.is_none());
        fast.received(MIN_RECEIVED);
        assert!(timeout(PERIOD / 2, fast.too_slow()).await.is_err());
        slow.too_slow().await;
        drop(slow);
        let other = other.await.expect("refused");
        let refused = begin(RUNNING + 1).await.expect_err("too many");
        assert_eq!(refused.status_code(), StatusCode::SERVICE_UNAVAILABLE);
        drop((other, fast, open));
    }
}
