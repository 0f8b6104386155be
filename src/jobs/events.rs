//! Gives changes their positions in the event log, and passes new events to the readers of this process.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::load::Load;
use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::{
        auth::Authenticator,
        events::{self, Hub, Outbox},
        statistics,
    },
};

/// Time between two looks at the log. A commit of this process does not wait for it; one of another process
/// is noticed by it. A notification of PostgreSQL would be faster, but does not pass a pooler, needs a
/// connection of its own, and may be lost.
const PERIOD: Duration = Duration::from_millis(250);
/// The same for [`BUSY`] after an event.
const BUSY_PERIOD: Duration = Duration::from_millis(50);
/// See [`BUSY_PERIOD`].
const BUSY: Duration = Duration::from_secs(10);
/// Minimum time between two looks. Further commits of that time share one: a look costs about as much as some
/// writes.
const PAUSE: Duration = Duration::from_millis(20);
/// The same under load. Each look that finds events also wakes every stream, and each stream sends what it gets.
const LONG_PAUSE: Duration = Duration::from_millis(200);
/// Time between two removals of old events.
const REMOVAL_PERIOD: Duration = Duration::from_mins(1);

pub(super) async fn run(
    db: Db,
    hub: Hub,
    authenticator: Authenticator,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let mut outbox = Outbox::default();
    let mut last_event = Instant::now();
    let mut load = Load::default();
    loop {
        let began = Instant::now();
        // Also after the stop: the last changes of this process get their positions.
        let outcome = events::advance(&db, &mut outbox, &hub, &authenticator).await;
        if stop.is_cancelled() {
            return outcome.map(drop);
        }
        match outcome {
            Ok(has_new) => {
                runs.succeeded();
                last_event = if has_new { began } else { last_event };
            }
            // A restart after a pause of up to a minute would keep the readers waiting.
            Err(Error::Unavailable(cause) | Error::TooSlow(cause) | Error::TryAgain(cause)) => {
                runs.failed();
                tracing::debug!(%cause, "the event log cannot be read");
                sleep(PERIOD).await;
            }
            Err(error) => return Err(error),
        }
        let is_busy = last_event.elapsed() < BUSY;
        let period = if is_busy { BUSY_PERIOD } else { PERIOD };
        let is_high = hub.tail().is_some_and(|end| load.observe(began, end));
        let pause = if is_high { LONG_PAUSE } else { PAUSE };
        let wait = async {
            let _ = timeout(period, db.committed()).await;
            sleep_until(began + pause).await;
        };
        stop.run_until_cancelled(wait).await;
    }
}

/// Removes old events that the statistics have.
pub(super) async fn remove(
    db: Db,
    keep: time::Duration,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let work = async {
        loop {
            sleep(REMOVAL_PERIOD).await;
            let folded = statistics::folded(&db).await?;
            let rows = events::delete_expired(&db, keep, folded).await?;
            if rows > 0 {
                tracing::debug!(rows, "removed old events");
            }
            runs.succeeded();
        }
    };
    // Drops the step that runs, which rolls back.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}
