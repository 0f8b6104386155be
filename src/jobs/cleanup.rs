//! Deletes expired sessions, tokens and stored answers, and old deliveries of webhooks.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::{auth, idempotency, webhooks},
};

/// Time between two runs.
const PERIOD: Duration = Duration::from_mins(1);

pub(super) async fn run(
    db: Db,
    refresh_lifetime: time::Duration,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let work = async {
        loop {
            sleep(PERIOD).await;
            let rows = auth::cleanup::delete_expired(&db, refresh_lifetime).await?;
            if rows > 0 {
                tracing::debug!(rows, "deleted expired sessions and tokens");
            }
            let rows = idempotency::delete_expired(&db).await?;
            if rows > 0 {
                tracing::debug!(rows, "deleted expired answers");
            }
            let rows = webhooks::delete_expired(&db).await?;
            if rows > 0 {
                tracing::debug!(rows, "deleted old deliveries of webhooks");
            }
            runs.succeeded();
        }
    };
    // Drops the step that runs, which rolls back.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}
