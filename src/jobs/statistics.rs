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
/// that the transactions take at most 1/128 of the time, up to [`MAX_PAUSE`]: under load the numbers are late rather
/// than the writes slow.
const PAUSES: u32 = 31;
/// The same while the backlog is old.
const SHORT_PAUSES: u32 = 3;
/// Maximum pause after a step: it may have waited for a database that did not answer.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Time between two removals of old days.
const REMOVAL_PERIOD: Duration = Duration::from_hours(1);

/// The pause after a step that took `took`.
fn pause(backlog: Backlog, took: Duration) -> Duration {
    let pause = match backlog {
        Backlog::Empty => return PERIOD,
        Backlog::Recent => took * PAUSES,
        Backlog::Old => took * SHORT_PAUSES,
    };
    pause.min(MAX_PAUSE)
}

pub(super) async fn run(db: Db, stop: CancellationToken, runs: Runs) -> Result<(), Error> {
    let work = async {
        let mut removal = Instant::now();
        loop {
            let began = Instant::now();
            let backlog = statistics::fold(&db).await?;
            runs.succeeded();
            sleep(pause(backlog, began.elapsed())).await;
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

    use super::{Backlog, MAX_PAUSE, PERIOD, pause};

    #[test]
    fn an_old_backlog_has_shorter_pauses() {
        let step = Duration::from_millis(100);
        assert!(pause(Backlog::Recent, step) > pause(Backlog::Old, step));
    }

    #[test]
    fn a_slow_step_is_not_followed_by_a_long_pause() {
        let minutes = Duration::from_mins(4);
        assert_eq!(pause(Backlog::Recent, minutes), MAX_PAUSE);
        assert_eq!(pause(Backlog::Old, minutes), MAX_PAUSE);
        assert_eq!(pause(Backlog::Empty, minutes), PERIOD);
    }
}
