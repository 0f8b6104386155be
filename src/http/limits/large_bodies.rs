//! The bound on large request bodies in memory.

use std::time::Duration;

use entity::values::UserId;

use super::per_caller::{Caller, InProgress, PerCaller};
use crate::{
    http::Problem,
    queue::{Place, Queue},
};

/// Maximum number of large bodies at the same time. With the maximum size of a body they take 32 MiB.
const RUNNING: usize = 32;
/// Maximum number of large bodies of one user at the same time.
const RUNNING_PER_USER: usize = 4;
/// Maximum number of bodies that wait. Each keeps what it has: the size of a small body, and the
/// buffers of its connection.
const WAITING: usize = 256;
/// Maximum time to wait. Much shorter than a body may take to arrive, so that slow bodies of others
/// do not use up the time of this one.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// The large bodies of all users.
#[derive(Debug)]
pub(super) struct LargeBodies {
    of_users: PerCaller<RUNNING_PER_USER>,
    all: Queue,
}

/// The place of a large body. Dropping it frees it.
#[derive(Debug)]
pub struct LargeBody {
    _of_user: InProgress<RUNNING_PER_USER>,
    _of_all: Place,
}

impl Default for LargeBodies {
    fn default() -> Self {
        Self {
            of_users: PerCaller::default(),
            all: Queue::new(RUNNING, WAITING, MAX_WAIT),
        }
    }
}

impl LargeBodies {
    /// Takes a place, or waits for one.
    ///
    /// # Errors
    /// 429 if the user has too many, and 503 if all users have, each after a bounded wait.
    pub(super) async fn begin(&self, user: UserId) -> Result<LargeBody, Problem> {
        // The user first: a body that waits for others of its user must not hold a place of all.
        let of_user = self.of_users.begin(Caller::User(user)).await;
        let of_user = of_user.ok_or_else(|| Problem::too_many_large_bodies(RUNNING_PER_USER))?;
        let of_all = self.all.enter().await;
        Ok(LargeBody {
            _of_user: of_user,
            _of_all: of_all
                .ok_or_else(|| Problem::busy("the service is busy with other large bodies"))?,
        })
    }
}
