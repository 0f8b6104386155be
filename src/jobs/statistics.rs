//! Folds the event log into statistics.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{db::Db, error::Error, metrics::Runs, services::statistics};

/// Time between two looks at the log when all of it is folded. SQLite has one writer, so that the changes
/// of this time are written together.
const PERIOD: Duration = Duration::from_secs(1);
/// Time between two removals of old days.
const REMOVAL_PERIOD: Duration = Duration::from_hours(1);

pub(super) async fn run(db: Db, stop: CancellationToken, runs: Runs) -> Result<(), Error> {
    let work = async {
        let mut removed: Option<Instant> = None;
        loop {
            let mut began = Instant::now();
            while statistics::fold(&db).await? {
                runs.succeeded();
                // The job takes at most a quarter of the time of a core from the requests.
                sleep(began.elapsed() * 3).await;
                began = Instant::now();
            }
            if removed.is_none_or(|removed| removed.elapsed() > REMOVAL_PERIOD) {
                statistics::remove_old_days(&db).await?;
                removed = Some(Instant::now());
            }
            runs.succeeded();
            sleep(PERIOD).await;
        }
    };
    // Drops the step that runs, which rolls back. The next start continues.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}
