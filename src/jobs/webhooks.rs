//! Delivers events to the endpoints of webhooks.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::{
        events::Hub,
        webhooks::{self, Found, Webhooks},
    },
};

/// Maximum time between two searches. An event of this process does not wait for it.
const PERIOD: Duration = Duration::from_secs(1);
/// Minimum time between two searches. Further events of that time share one.
const PAUSE: Duration = Duration::from_millis(100);
/// Time between two searches while there is no webhook. A webhook that this process creates ends it.
const WITHOUT_WEBHOOKS: Duration = Duration::from_secs(10);
/// Endpoints that this process delivers to at once.
const PLACES: usize = 64;
/// Time between two looks for deliveries that are due.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Marks the webhooks that get new events.
pub(super) async fn find(
    db: Db,
    hub: Hub,
    context: Webhooks,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let mut tail = hub.watch();
    let work = async {
        loop {
            tail.mark_unchanged();
            let found = webhooks::find_work(&db, &context).await?;
            runs.succeeded();
            match found {
                Found::More => {}
                Found::End => {
                    let _ = timeout(PERIOD, tail.changed()).await;
                    sleep(PAUSE).await;
                }
                Found::NoWebhooks => {
                    let _ = timeout(WITHOUT_WEBHOOKS, context.changed()).await;
                }
            }
        }
    };
    // Drops the step that runs, which rolls back.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}

/// Delivers to the webhooks that have something to get.
pub(super) async fn deliver(
    db: Db,
    context: Webhooks,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let mut turns = JoinSet::new();
    while !stop.is_cancelled() {
        match webhooks::lease(&db, PLACES.saturating_sub(turns.len())).await {
            Ok(leased) => {
                runs.succeeded();
                for leased in leased {
                    let turn =
                        webhooks::take_turn(db.clone(), context.clone(), leased, stop.clone());
                    turns.spawn(turn);
                }
            }
            // The end of the job would drop the attempts in progress.
            Err(error) => {
                runs.failed();
                tracing::warn!(cause = error.with_cause(), "no webhook can be leased");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = context.has_work() => {}
            () = sleep(POLL_INTERVAL) => {}
            Some(ended) = turns.join_next() => report(ended),
        }
    }
    // They drop their attempts.
    while let Some(ended) = turns.join_next().await {
        report(ended);
    }
    Ok(())
}

/// A turn that failed ends neither the others nor the job.
fn report(ended: Result<Result<(), Error>, tokio::task::JoinError>) {
    let cause = match ended {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.with_cause(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(
        cause,
        "the deliveries to a webhook failed; they are repeated"
    );
}
