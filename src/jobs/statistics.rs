//! Folds the event log into statistics.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::statistics::{self, Backlog},
};

/// Time between two looks at the log when all of it is folded. SQLite has one writer, so that the changes
/// of this time are written together.
const PERIOD: Duration = Duration::from_secs(1);
/// Time between two removals of old days.
const REMOVAL_PERIOD: Duration = Duration::from_hours(1);

/// The pause between two steps.
#[derive(Default)]
struct Pauses {
    /// The events that remained after the last step.
    rest: u64,
}

impl Pauses {
    /// The pause after a step that took `took`. If events come faster than they are folded, the numbers are late
    /// rather than the writes, until they are old.
    fn after(&mut self, backlog: Backlog, took: Duration) -> Duration {
        let before = self.rest;
        self.rest = match backlog {
            Backlog::Recent(events) => events,
            Backlog::Empty | Backlog::Old => 0,
        };
        match backlog {
            Backlog::Empty => PERIOD,
            Backlog::Recent(events) if events > before => took * 15,
            Backlog::Recent(_) | Backlog::Old => took * 3,
        }
    }
}

pub(super) async fn run(db: Db, stop: CancellationToken, runs: Runs) -> Result<(), Error> {
    let work = async {
        let mut pauses = Pauses::default();
        let mut removed: Option<Instant> = None;
        loop {
            if removed.is_none_or(|removed| removed.elapsed() > REMOVAL_PERIOD) {
                statistics::remove_old_days(&db).await?;
                removed = Some(Instant::now());
            }
            let began = Instant::now();
            let backlog = statistics::fold(&db).await?;
            runs.succeeded();
            sleep(pauses.after(backlog, began.elapsed())).await;
        }
    };
    // Drops the step that runs, which rolls back. The next start continues.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}
