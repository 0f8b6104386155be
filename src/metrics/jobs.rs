//! Runs of background jobs.

use std::sync::Arc;

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::{Registry, Unit},
};

use super::{Label, Timestamp, now};

/// The runs of all jobs.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    runs: Family<Label, Counter>,
    failures: Family<Label, Counter>,
    last_success: Family<Label, Timestamp>,
}

/// The runs of one job. Counts nothing if metrics are off.
#[derive(Clone, Debug, Default)]
pub struct Runs(Option<Arc<Counts>>);

#[derive(Debug)]
struct Counts {
    runs: Counter,
    failures: Counter,
    last_success: Timestamp,
}

impl Jobs {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "acclaim_job_runs",
            "Runs of a background job that succeeded",
            self.runs.clone(),
        );
        registry.register(
            "acclaim_job_failures",
            "Errors and panics of a background job, each of which restarts it",
            self.failures.clone(),
        );
        registry.register_with_unit(
            "acclaim_job_last_success_timestamp",
            "End of the last run that succeeded, or start of the job, in Unix time",
            Unit::Seconds,
            self.last_success.clone(),
        );
    }

    pub(super) fn of(&self, name: &'static str) -> Runs {
        let label = [("name", name)];
        let last_success = self.last_success.get_or_create(&label).clone();
        last_success.set(now());
        Runs(Some(Arc::new(Counts {
            runs: self.runs.get_or_create(&label).clone(),
            failures: self.failures.get_or_create(&label).clone(),
            last_success,
        })))
    }
}

impl Runs {
    /// Counts a run that did its work, or found none.
    pub fn succeeded(&self) {
        if let Some(counts) = &self.0 {
            counts.runs.inc();
            counts.last_success.set(now());
        }
    }

    /// Counts an error or a panic.
    pub fn failed(&self) {
        if let Some(counts) = &self.0 {
            counts.failures.inc();
        }
    }
}
