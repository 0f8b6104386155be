//! Bounds SQLite's write-ahead log.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{db::WriteAheadLog, error::Error, metrics::Runs};

/// Time between two looks at the size of the log.
const PERIOD: Duration = Duration::from_millis(200);

pub(super) async fn run(
    mut log: WriteAheadLog,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let work = async {
        loop {
            sleep(PERIOD).await;
            log.checkpoint_if_due().await;
            runs.succeeded();
        }
    };
    // An interrupted checkpoint changes nothing.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}
