//! The readiness of the service, checked at most once a second.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::Problem;

/// Maximum age of an answer. Callers are not limited, so they must not cause more checks than this.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The outcome of the last check. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Option<Checked>>>);

#[derive(Debug)]
struct Checked {
    at: Instant,
    outcome: Result<(), Problem>,
}

impl Readiness {
    /// The outcome of the last check if it ended less than a second ago, else that of `check`. One
    /// check runs at a time, and every caller that waits for it gets its outcome.
    ///
    /// # Errors
    /// Those of `check`.
    pub async fn get(
        &self,
        check: impl Future<Output = Result<(), Problem>>,
    ) -> Result<(), Problem> {
        let mut last = self.0.lock().await;
        if let Some(checked) = &*last
            && checked.at.elapsed() < MAX_AGE
        {
            return checked.outcome.clone();
        }
        let outcome = check.await;
        *last = Some(Checked {
            at: Instant::now(),
            outcome: outcome.clone(),
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::{MAX_AGE, Problem, Readiness};

    #[tokio::test(start_paused = true)]
    async fn one_check_answers_everyone_for_a_second() {
        let (readiness, checks) = (Readiness::default(), AtomicU32::new(0));
        let round = async || {
            let answers = (0..100).map(|_| {
                readiness.get(async {
                    sleep(MAX_AGE * 2).await;
                    match checks.fetch_add(1, Ordering::Relaxed) {
                        0 => Err(Problem::unavailable("not yet", None)),
                        _ => Ok(()),
                    }
                })
            });
            let answers = join_all(answers).await;
            let ready = answers.iter().filter(|answer| answer.is_ok()).count();
            (ready, checks.load(Ordering::Relaxed))
        };
        assert_eq!(round().await, (0, 1));
        assert_eq!(round().await, (0, 1));
        advance(MAX_AGE).await;
        assert_eq!(round().await, (100, 2));
        assert_eq!(round().await, (100, 2));
    }
}
