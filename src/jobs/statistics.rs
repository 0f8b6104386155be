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
/// Maximum pause after a step: it may have waited for a database that did not answer.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Time between two removals of old days.
const REMOVAL_PERIOD: Duration = Duration::from_hours(1);

/// The pause between two steps.
#[derive(Default)]
struct Pauses {
    /// The events that remained after the last step; `None` if that is not known.
    rest: Option<u64>,
}

impl Pauses {
    /// The pause after a step that took `took`. If events come faster than they are folded, the numbers are late
    /// rather than the writes, until they are old.
    fn after(&mut self, backlog: Backlog, took: Duration) -> Duration {
        let before = self.rest.take();
        let pause = match backlog {
            Backlog::Empty => return PERIOD,
            Backlog::Old => took * 3,
            Backlog::Recent(events) => {
                self.rest = Some(events);
                let grows = before.is_some_and(|before| events > before);
                took * if grows { 15 } else { 3 }
            }
        };
        pause.min(MAX_PAUSE)
    }
}

pub(super) async fn run(db: Db, stop: CancellationToken, runs: Runs) -> Result<(), Error> {
    let work = async {
        let mut pauses = Pauses::default();
        let mut removal = Instant::now();
        loop {
            let began = Instant::now();
            let backlog = statistics::fold(&db).await?;
            runs.succeeded();
            sleep(pauses.after(backlog, began.elapsed())).await;
            if removal <= Instant::now() {
                // Old days do no harm, but without the steps no event is removed.
                if let Err(error) = statistics::remove_old_days(&db).await {
                    runs.failed();
                    tracing::warn!(
                        cause = error.with_cause(),
                        "old days of the statistics stay"
                    );
                }
                removal = Instant::now() + REMOVAL_PERIOD;
            }
        }
    };
    // Drops the step that runs, which rolls back. The next start continues.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backlog, MAX_PAUSE, PERIOD, Pauses};

    #[test]
    fn the_job_gives_way_only_while_the_backlog_grows() {
        let step = Duration::from_millis(100);
        let mut pauses = Pauses::default();
        let mut after = |backlog| pauses.after(backlog, step);
        // A burst.
        assert_eq!(after(Backlog::Empty), PERIOD);
        assert_eq!(after(Backlog::Recent(5_000)), step * 3);
        assert_eq!(after(Backlog::Recent(3_000)), step * 3);
        assert_eq!(after(Backlog::Recent(4_000)), step * 15);
        assert_eq!(after(Backlog::Old), step * 3);
        assert_eq!(after(Backlog::Recent(6_000)), step * 3);
    }

    #[test]
    fn a_slow_step_is_not_followed_by_a_long_pause() {
        let mut pauses = Pauses::default();
        let step = Duration::from_mins(4);
        assert_eq!(pauses.after(Backlog::Old, step), MAX_PAUSE);
    }
}
