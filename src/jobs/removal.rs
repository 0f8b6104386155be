//! Removes deleted accounts.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::removal::{Removals, remove_all},
};

/// Time between two looks at the database. They find accounts that another server deleted.
const PERIOD: Duration = Duration::from_mins(1);

pub(super) async fn run(
    db: Db,
    removals: Removals,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let work = async {
        loop {
            remove_all(&db).await?;
            runs.succeeded();
            tokio::select! {
                () = removals.notified() => {}
                () = sleep(PERIOD) => {}
            }
        }
    };
    // Drops the step that runs, which rolls back. The next start continues.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}
