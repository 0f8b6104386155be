//! Folds the event log into statistics.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::load::Load;
use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::statistics::{self, Backlog, Outcome},
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
    /// The pause after a step that took `took`.
    fn after(&mut self, outcome: Outcome, took: Duration) -> Duration {
        let is_high = self.load.observe(outcome.seen, outcome.end);
        match outcome.backlog {
            Backlog::Empty => PERIOD,
            Backlog::Recent if is_high => MAX_PAUSE.min(took * LONG_PAUSES),
            Backlog::Recent | Backlog::Old => MAX_PAUSE.min(took * PAUSES),
        }
    }
}

pub(super) async fn run(db: Db, stop: CancellationToken, runs: Runs) -> Result<(), Error> {
    let work = async {
        let mut pauses = Pauses::default();
        let mut removal = Instant::now();
        loop {
            let began = Instant::now();
            let outcome = statistics::fold(&db).await?;
            runs.succeeded();
            sleep(pauses.after(outcome, began.elapsed())).await;
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

    use super::{Backlog, LONG_PAUSES, MAX_PAUSE, Outcome, PAUSES, PERIOD, Pauses};

    const STEP: Duration = Duration::from_millis(100);

    /// The pauses after steps at these seconds, with these backlogs and ends of the log.
    fn pauses<const N: usize>(steps: [(u64, Backlog, i64); N]) -> [Duration; N] {
        let (mut pauses, began) = (Pauses::default(), Instant::now());
        steps.map(|(second, backlog, end)| {
            let end = EventPosition::START.plus(end);
            let seen = began + Duration::from_secs(second);
            pauses.after(Outcome { backlog, end, seen }, STEP)
        })
    }

    #[test]
    fn the_job_gives_way_under_load() {
        let pauses = pauses([
            // Nothing is known before the second step.
            (0, Backlog::Recent, 20_000),
            (1, Backlog::Recent, 20_900),
            (2, Backlog::Recent, 22_000),
            (4, Backlog::Recent, 24_200),
            (6, Backlog::Recent, 25_300),
        ]);
        let [short, long] = [STEP * PAUSES, STEP * LONG_PAUSES];
        assert_eq!(pauses, [short, short, long, long, short]);
    }

    #[test]
    fn the_first_step_of_a_burst_recognises_it() {
        let pauses = pauses([
            (0, Backlog::Empty, 20_000),
            (1, Backlog::Empty, 20_000),
            (2, Backlog::Recent, 25_000),
        ]);
        assert_eq!(pauses, [PERIOD, PERIOD, STEP * LONG_PAUSES]);
    }

    #[test]
    fn an_old_backlog_is_urgent() {
        let pauses = pauses([(0, Backlog::Recent, 0), (1, Backlog::Old, 5_000)]);
        assert_eq!(pauses, [STEP * PAUSES; 2]);
    }

    #[test]
    fn a_slow_step_is_not_followed_by_a_long_pause() {
        let after = |backlog| {
            let (end, seen) = (EventPosition::START, Instant::now());
            let minutes = Duration::from_mins(4);
            Pauses::default().after(Outcome { backlog, end, seen }, minutes)
        };
        assert_eq!(after(Backlog::Old), MAX_PAUSE);
        assert_eq!(after(Backlog::Empty), PERIOD);
    }
}
