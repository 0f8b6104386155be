//! Jobs that fail, panic and stop. The clock of these tests is paused.

use std::sync::{Arc, Mutex};

use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{DRAIN, FIRST_PAUSE, HEALTHY_AFTER, MAX_PAUSE, Supervisor};
use crate::error::Error;

/// The times at which a job was called.
#[derive(Clone, Default)]
struct Starts(Arc<Mutex<Vec<Instant>>>);

impl Starts {
    fn add(&self) -> usize {
        let mut starts = self.0.lock().expect("poisoned");
        starts.push(Instant::now());
        starts.len()
    }

    fn count(&self) -> usize {
        self.0.lock().expect("poisoned").len()
    }

    fn pauses(&self) -> Vec<Duration> {
        let starts = self.0.lock().expect("poisoned");
        starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

/// Runs `job` for `time` and stops it. `job` gets the number of its call.
async fn starts_of<F>(time: Duration, job: fn(usize, CancellationToken) -> F) -> Starts
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let (jobs, starts) = (Supervisor::default(), Starts::default());
    let recorded = starts.clone();
    jobs.start("tested", move |stop, _| job(recorded.add(), stop));
    sleep(time).await;
    jobs.stop().await;
    starts
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_restarts_after_growing_pauses() {
    let job = |_, _| async { Err(Error::Overloaded) };
    let starts = starts_of(Duration::from_mins(20), job).await;
    let pauses = starts.pauses();
    assert!(pauses.len() > 10, "{pauses:?}");
    let mut longest = FIRST_PAUSE;
    // The timer has a resolution of 1 ms.
    let tick = Duration::from_millis(1);
    for pause in pauses {
        assert!(longest / 2 <= pause && pause <= longest + tick, "{pause:?}");
        longest = MAX_PAUSE.min(longest * 2);
    }
    let count = starts.count();
    sleep(Duration::from_hours(1)).await;
    assert_eq!(starts.count(), count, "a stopped job was restarted");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_healthy_restarts_soon() {
    let job = |call, _| async move {
        if call > 8 {
            sleep(HEALTHY_AFTER).await;
        }
        Err(Error::Overloaded)
    };
    let starts = starts_of(Duration::from_hours(2), job).await;
    let last = starts.pauses().pop().expect("no restart");
    assert!(last <= HEALTHY_AFTER + FIRST_PAUSE * 2, "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_in_each_period_is_not_healthy() {
    let job = |_, _| async {
        sleep(MAX_PAUSE).await;
        Err(Error::Overloaded)
    };
    let starts = starts_of(Duration::from_hours(1), job).await;
    let last = starts.pauses().pop().expect("no restart");
    assert!(last >= MAX_PAUSE + MAX_PAUSE / 2, "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_before_the_stop_restarts() {
    let starts = starts_of(Duration::from_mins(10), |_, _| async { Ok(()) }).await;
    assert!(starts.count() > 5, "{}", starts.count());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_panics_restarts() {
    let job = |call, stop: CancellationToken| async move {
        assert!(call > 2, "call {call}");
        stop.cancelled().await;
        Ok(())
    };
    let starts = starts_of(Duration::from_mins(10), job).await;
    assert_eq!(starts.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_panics_before_its_first_await_restarts() {
    let starts = starts_of::<std::future::Ready<_>>(Duration::from_mins(10), |call, _| {
        panic!("call {call}")
    });
    assert!(starts.await.count() > 5);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_until_the_queue_is_empty() {
    let jobs = Supervisor::default();
    let (sender, receiver) = mpsc::channel(3);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let done = Arc::new(Mutex::new(Vec::new()));
    let of_job = Arc::clone(&done);
    jobs.start("queue", move |stop: CancellationToken, _| {
        let (receiver, done) = (Arc::clone(&receiver), Arc::clone(&of_job));
        async move {
            loop {
                let mut receiver = receiver.lock().await;
                let next = tokio::select! {
                    biased;
                    next = receiver.recv() => next,
                    () = stop.cancelled() => return Ok(()),
                };
                sleep(Duration::from_secs(2)).await;
                done.lock().expect("poisoned").extend(next);
            }
        }
    });
    for number in 1..=3 {
        sender.send(number).await.expect("no receiver");
    }
    jobs.stop().await;
    assert_eq!(*done.lock().expect("poisoned"), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_ever() {
    let jobs = Supervisor::default();
    let end = Instant::now() + Duration::from_hours(1);
    jobs.start("stuck", move |_, _| async move {
        sleep_until(end).await;
        Ok(())
    });
    let started = Instant::now();
    jobs.stop().await;
    let took = started.elapsed();
    assert!(DRAIN <= took && took < DRAIN * 2, "{took:?}");
}
