//! Repeating what the database refuses and asks to try again.

use std::{fmt::Display, time::Duration};

use tokio::time::{Instant, sleep};

use crate::error::Error;

/// A statement or a transaction that the database asks to try again is repeated for this long. Of several that
/// conflict, at least one commits, so the time is bounded and not the number of attempts.
const PERIOD: Duration = Duration::from_secs(3);
/// The pauses are random. Their maximum doubles with each attempt, up to this.
const MAX_PAUSE: Duration = Duration::from_millis(160);

/// Runs `attempt` again, after a pause, if the database asks to try again.
pub(super) async fn retry<T, F, R>(attempt: F) -> Result<T, Error>
where
    F: Fn() -> R,
    R: Future<Output = Result<T, Error>>,
{
    let is_refused = |error: &Error| matches!(error, Error::TryAgain(_));
    match repeat(attempt, is_refused).await {
        Err(Error::TryAgain(cause)) => Err(Error::Unavailable(cause)),
        outcome => outcome,
    }
}

/// Runs `attempt` again for up to [`PERIOD`], with pauses, as long as its error `is_refused`.
pub(super) async fn repeat<T, E, F, R>(attempt: F, is_refused: impl Fn(&E) -> bool) -> Result<T, E>
where
    E: Display,
    F: Fn() -> R,
    R: Future<Output = Result<T, E>>,
{
    let begun = Instant::now();
    let mut max_pause = Duration::from_millis(10);
    loop {
        match attempt().await {
            Err(cause) if begun.elapsed() < PERIOD && is_refused(&cause) => {
                tracing::debug!(%cause, "a statement or transaction is tried again");
                sleep(rand::random_range(Duration::from_millis(1)..=max_pause)).await;
                max_pause = MAX_PAUSE.min(max_pause * 2);
            }
            outcome => return outcome,
        }
    }
}
