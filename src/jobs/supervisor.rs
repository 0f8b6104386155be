//! Starts, restarts and stops jobs.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinError,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    error::{Error, panic_message},
    metrics::{Metrics, Runs},
};

/// Upper bound of the first pause before a restart. Each failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Upper bound of every pause.
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// A job that ran for this long counts as healthy: after its next failure the pauses start at the
/// first again. Must be longer than the period of every job, because a job may fail at the end of
/// its first period each time.
const HEALTHY_AFTER: Duration = Duration::from_mins(10);
/// How long jobs may finish their work after [`Supervisor::stop`].
const DRAIN: Duration = Duration::from_secs(10);

/// Runs jobs. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    tasks: TaskTracker,
    stop: CancellationToken,
    metrics: Option<Arc<Metrics>>,
}

impl Supervisor {
    /// Without a job. Jobs count their runs in `metrics`.
    #[must_use]
    pub fn new(metrics: Option<Arc<Metrics>>) -> Self {
        Self {
            metrics,
            ..Self::default()
        }
    }

    /// Starts a job on the current runtime.
    ///
    /// The job gets a token that is cancelled at the stop. It must then complete its queue, or drop
    /// a step that can be repeated, and return. If it returns before the stop or panics, it is
    /// called again after a pause. It counts its own runs that succeed.
    pub fn start<J, F>(&self, name: &'static str, job: J)
    where
        J: Fn(CancellationToken, Runs) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let (tasks, stop) = (self.tasks.clone(), self.stop.clone());
        let runs = self.metrics.as_ref().map(|metrics| metrics.runs(name));
        let runs = runs.unwrap_or_default();
        self.tasks.spawn(supervise(name, job, tasks, stop, runs));
    }

    /// Stops all jobs, and waits up to 10 s until they have finished. The database rolls back
    /// transactions that are open then.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("jobs did not finish within 10 s");
        }
    }
}

async fn supervise<J, F>(
    name: &'static str,
    job: J,
    tasks: TaskTracker,
    stop: CancellationToken,
    runs: Runs,
) where
    J: Fn(CancellationToken, Runs) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let job = Arc::new(job);
    let mut longest = FIRST_PAUSE;
    loop {
        tracing::info!(job = name, "job started");
        let started = Instant::now();
        // In a task of its own, because that catches panics.
        let run = {
            let (job, stop, runs) = (Arc::clone(&job), stop.clone(), runs.clone());
            async move { job(stop, runs).await }
        };
        let cause = match tasks.spawn(run).await {
            Ok(Ok(())) if stop.is_cancelled() => {
                tracing::info!(job = name, "job stopped");
                return;
            }
            Ok(Ok(())) => "it ended before the stop".to_owned(),
            Ok(Err(error)) => error.with_cause(),
            Err(error) => panic_cause(error),
        };
        runs.failed();
        if stop.is_cancelled() {
            tracing::warn!(job = name, cause, "job failed at the stop");
            return;
        }
        if started.elapsed() >= HEALTHY_AFTER {
            longest = FIRST_PAUSE;
        }
        // Jitter keeps jobs, and servers, from restarting in step.
        let pause = rand::random_range(longest / 2..=longest);
        longest = MAX_PAUSE.min(longest * 2);
        tracing::warn!(
            job = name,
            cause,
            ?pause,
            "job failed, it restarts after a pause"
        );
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn panic_cause(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => format!("panic: {}", panic_message(&*panic)),
        Err(cancelled) => cancelled.to_string(),
    }
}

#[cfg(test)]
mod tests;
