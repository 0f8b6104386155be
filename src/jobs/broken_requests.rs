//! Logs the number of requests that could not be parsed or read, so that a client cannot fill the log.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{error::Error, metrics::Runs, telemetry::BrokenRequests};

/// Time between two lines.
const PERIOD: Duration = Duration::from_secs(10);

pub(super) async fn run(stop: CancellationToken, runs: Runs) -> Result<(), Error> {
    loop {
        let stopped = tokio::select! {
            () = stop.cancelled() => true,
            () = sleep(PERIOD) => false,
        };
        if let Some(BrokenRequests { number, last }) = BrokenRequests::take() {
            // An attack is no fault of the service, like any other 4xx.
            tracing::info!(number, last, "broken requests");
        }
        runs.succeeded();
        if stopped {
            return Ok(());
        }
    }
}
