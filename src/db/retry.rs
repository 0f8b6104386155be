//! Repeating what the database refuses and asks to try again.

use std::{fmt::Display, time::Duration};

use tokio::time::sleep;

use crate::error::Error;

/// Attempts at a statement or a transaction that the database asks to try again.
const ATTEMPTS: u32 = 6;

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

/// Runs `attempt` up to [`ATTEMPTS`] times, with pauses, as long as its error `is_refused`.
pub(super) async fn repeat<T, E, F, R>(attempt: F, is_refused: impl Fn(&E) -> bool) -> Result<T, E>
where
    E: Display,
    F: Fn() -> R,
    R: Future<Output = Result<T, E>>,
{
    let mut number = 1;
    loop {
        match attempt().await {
            Err(cause) if number < ATTEMPTS && is_refused(&cause) => {
                tracing::debug!(number, %cause, "a statement or transaction is tried again");
                let max_pause = 5 << number;
                let pause = rand::random_range(1..=max_pause);
                sleep(Duration::from_millis(pause)).await;
                number += 1;
            }
            outcome => return outcome,
        }
    }
}
