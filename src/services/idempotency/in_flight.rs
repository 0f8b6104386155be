//! The keyed requests in progress in this process.

use entity::values::{IdempotencyKey, KeyScope};

use super::ScopedKey;
use crate::{
    error::Error,
    services::running::{Running, RunningGuard},
};

/// The keys of the requests in progress, so that the same request is refused at once. Clones share
/// them. There are at most as many as connections, because a connection has one request at a time.
///
/// This only saves work: the database decides between simultaneous requests to several servers.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Running<ScopedKey>);

impl InFlight {
    /// Begins a request. Its end is the drop of the result.
    ///
    /// # Errors
    /// [`Error::IdempotencyKeyInUse`] if one with the same key is in progress.
    pub fn begin(
        &self,
        scope: KeyScope,
        key: &IdempotencyKey,
    ) -> Result<RunningGuard<ScopedKey>, Error> {
        let running = self.0.begin((scope, key.clone()), usize::MAX);
        running.map_err(|_| Error::IdempotencyKeyInUse)
    }
}
