//! Bounds SQLite's write-ahead log.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{db::WriteAheadLog, error::Error};

/// Time between two looks at the size of the log.
const PERIOD: Duration = Duration::from_millis(200);

pub(super) async fn run(mut log: WriteAheadLog, stop: CancellationToken) -> Result<(), Error> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(PERIOD) => {}
        }
        tokio::select! {
            // An interrupted checkpoint changes nothing.
            () = stop.cancelled() => return Ok(()),
            () = log.tend() => {}
        }
    }
}
