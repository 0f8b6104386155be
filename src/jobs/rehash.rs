//! Replaces outdated password hashes.

use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::auth::{
        passwords::Passwords,
        rehash::{RehashQueue, replace_hash},
    },
};

/// Works off the queue. At the stop it finishes the queue first. A password that cannot be hashed or
/// stored is dropped: the next sign-in sends it again.
pub(super) async fn run(
    db: Db,
    passwords: Passwords,
    rehashes: RehashQueue,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    loop {
        let next = tokio::select! {
            // In this order, so that a stop does not drop queued passwords.
            biased;
            next = rehashes.pop() => next,
            () = stop.cancelled() => return Ok(()),
        };
        let Some(rehash) = next else { return Ok(()) };
        let user_id = rehash.user_id().get();
        match replace_hash(&db, &passwords, rehash).await {
            Ok(()) => runs.succeeded(),
            Err(error) => {
                let cause = error.with_cause();
                tracing::warn!(user_id, cause, "a password keeps its outdated hash");
            }
        }
    }
}
