//! Removes deleted accounts.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    error::Error,
    services::removal::{Removals, remove_all},
};

/// Time between two looks at the database. They find accounts that another server deleted.
const PERIOD: Duration = Duration::from_mins(1);

pub(super) async fn run(db: Db, removals: Removals, stop: CancellationToken) -> Result<(), Error> {
    loop {
        tokio::select! {
            // Drops the step that runs, which rolls back. The next start continues.
            () = stop.cancelled() => return Ok(()),
            removed = remove_all(&db) => removed?,
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = removals.notified() => {}
            () = sleep(PERIOD) => {}
        }
    }
}
