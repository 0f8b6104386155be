//! Folds the event log into statistics.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::load::Load;
use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::statistics::{self, Backlog},
};

/// Time between two looks at the log when all of it is folded. SQLite has one writer, so that the changes
/// of this time are written together.
const PERIOD: Duration = Duration::from_secs(1);
/// The pause after a step, in times of the step. A step itself pauses for three times as long as its transaction, so
/// that the transactions take at most 1/16 of the time, up to [`MAX_PAUSE`].
const PAUSES: u32 = 3;
/// The same under load, while the backlog is recent: the numbers are late rather than the writes slow.
const LONG_PAUSES: u32 = 31;
/// Maximum pause after a step: it may have waited for a database that did not answer.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Time between two removals of old days.
const REMOVAL_PERIOD: Duration = Duration::from_hours(1);

/// The pauses between steps.
#[derive(Default)]
struct Pauses {
    load: Load,
}

impl Pauses {
    /// The pause after a step that began at `began` and took `took`.
    fn after(&mut self, backlog: Backlog, began: Instant, took: Duration) -> Duration {
        let is_high = if let Backlog::Recent { end } = backlog {
            self.load.observe(began, end)
        } else {
            self.load = Load::default();
            false
        };
        match backlog {
            Backlog::Empty => PERIOD,
            _ if is_high => MAX_PAUSE.min(took * LONG_PAUSES),
            _ => MAX_PAUSE.min(took * PAUSES),
        }
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
            sleep(pauses.after(backlog, began, began.elapsed())).await;
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

    use entity::values::EventPosition;
    use tokio::time::Instant;

    use super::{Backlog, LONG_PAUSES, MAX_PAUSE, PAUSES, PERIOD, Pauses};

    const STEP: Duration = Duration::from_millis(100);

    #[test]
    fn the_job_gives_way_under_load() {
        let (mut pauses, began) = (Pauses::default(), Instant::now());
        let mut end = EventPosition::START.plus(20_000);
        let mut after = |second, came| {
            end = end.plus(came);
            pauses.after(
                Backlog::Recent { end },
                began + Duration::from_secs(second),
                STEP,
            )
        };
        // Nothing is known before the second step.
        assert_eq!(after(0, 0), STEP * PAUSES);
        assert_eq!(after(1, 900), STEP * PAUSES);
        assert_eq!(after(2, 1_100), STEP * LONG_PAUSES);
        assert_eq!(after(4, 2_200), STEP * LONG_PAUSES);
        assert_eq!(after(6, 1_100), STEP * PAUSES);
    }

    #[test]
    fn an_idle_job_measures_anew() {
        let (mut pauses, began) = (Pauses::default(), Instant::now());
        let mut after = |second, position| {
            let end = EventPosition::START.plus(position);
            let now = began + Duration::from_secs(second);
            pauses.after(Backlog::Recent { end }, now, STEP)
        };
        after(0, 0);
        assert_eq!(after(1, 5_000), STEP * LONG_PAUSES);
        pauses.after(Backlog::Empty, began, STEP);
        let end = EventPosition::START.plus(99_000);
        let pause = pauses.after(Backlog::Recent { end }, began, STEP);
        assert_eq!(pause, STEP * PAUSES);
    }

    #[test]
    fn an_old_backlog_is_urgent() {
        let (mut pauses, began) = (Pauses::default(), Instant::now());
        assert_eq!(pauses.after(Backlog::Old, began, STEP), STEP * PAUSES);
    }

    #[test]
    fn a_slow_step_is_not_followed_by_a_long_pause() {
        let after = |backlog| {
            let minutes = Duration::from_mins(4);
            Pauses::default().after(backlog, Instant::now(), minutes)
        };
        assert_eq!(after(Backlog::Old), MAX_PAUSE);
        assert_eq!(after(Backlog::Empty), PERIOD);
    }
}
