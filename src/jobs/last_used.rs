//! Stores the uses of sessions and personal access tokens.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::auth::last_used::{UseQueue, store},
};

/// Time from the first use to its transaction, which stores the uses noted meanwhile too.
const PERIOD: Duration = Duration::from_secs(1);

/// Works off the queue. A stop or an error drops the uses that it has taken: the next use of each
/// credential is noted again.
pub(super) async fn run(
    db: Db,
    uses: UseQueue,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let work = async {
        loop {
            uses.wait().await;
            sleep(PERIOD).await;
            store(&db, &uses.take()).await?;
            runs.succeeded();
        }
    };
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}
