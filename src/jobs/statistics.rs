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
/// The pause after a step, in times of the step. A step itself pauses for three times as long as its transaction, so
/// that the transactions take at most a sixteenth of the time.
const PAUSES: u32 = 3;
/// The same while events come faster than steps with [`PAUSES`] fold them: then the numbers are late rather than
/// the writes slow.
const LONG_PAUSES: u32 = 15;
/// Maximum pause after a step: it may have waited for a database that did not answer.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Time between two removals of old days.
const REMOVAL_PERIOD: Duration = Duration::from_hours(1);

/// The pauses between steps.
#[derive(Default)]
struct Pauses {
    /// When the last step began, and the positions that remained after it; `None` if that is not known.
    last: Option<(Instant, u64)>,
}

impl Pauses {
    /// The pause after a step that began at `began` and took `took`.
    fn after(&mut self, backlog: Backlog, began: Instant, took: Duration) -> Duration {
        let last = self.last.take();
        let pause = match backlog {
            Backlog::Empty => return PERIOD,
            Backlog::Old => took * PAUSES,
            Backlog::Recent { folded, rest } => {
                self.last = Some((began, rest));
                let is_behind = last.is_some_and(|(last, before)| {
                    let came = u128::from((rest + folded).saturating_sub(before));
                    let of_steps = (took * (1 + PAUSES)).as_micros();
                    // Both in positions a second.
                    came * of_steps > u128::from(folded) * (began - last).as_micros()
                });
                took * if is_behind { LONG_PAUSES } else { PAUSES }
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

    use tokio::time::Instant;

    use super::{Backlog, LONG_PAUSES, MAX_PAUSE, PAUSES, PERIOD, Pauses};

    const STEP: Duration = Duration::from_millis(100);
    /// Positions of a page.
    const PAGE: u64 = 2_000;

    /// The pauses, in steps, while `rate` positions a second come and `rest` are there.
    fn pauses(rate: u64, mut rest: u64) -> Vec<u32> {
        let mut pauses = Pauses::default();
        let mut began = Instant::now();
        (0..10)
            .map(|_| {
                rest -= PAGE;
                let backlog = Backlog::Recent { folded: PAGE, rest };
                let pause = pauses.after(backlog, began, STEP);
                began += STEP + pause;
                let pauses = u32::try_from(pause.as_millis() / STEP.as_millis()).unwrap();
                rest += rate * u64::from(1 + pauses) / 10;
                pauses
            })
            .collect()
    }

    #[test]
    fn the_job_gives_way_if_it_cannot_keep_up() {
        // With pauses of three steps it folds 5,000 a second.
        assert_eq!(pauses(0, 100_000), [PAUSES; 10]);
        assert_eq!(pauses(4_900, 100_000), [PAUSES; 10]);
        let behind = pauses(5_100, 100_000);
        assert_eq!(behind[0], PAUSES);
        assert_eq!(behind[1..], [LONG_PAUSES; 9]);
    }

    #[test]
    fn it_returns_to_shorter_pauses_when_fewer_events_come() {
        let (mut pauses, began) = (Pauses::default(), Instant::now());
        let mut after = |seconds, rest| {
            let began = began + Duration::from_secs(seconds);
            let backlog = Backlog::Recent { folded: PAGE, rest };
            pauses.after(backlog, began, STEP)
        };
        assert_eq!(after(0, 10_000), STEP * PAUSES);
        assert_eq!(after(1, 14_000), STEP * LONG_PAUSES);
        assert_eq!(after(2, 16_000), STEP * PAUSES);
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
