//! Counters and histograms of the service, and how they are encoded. `METRICS_ADDR` turns them
//! on. What can be read at the time of a scrape is not counted here: `src/server/metrics.rs` reads it.

mod histogram;
mod jobs;
mod process;
mod requests;

use std::{
    fmt,
    sync::atomic::AtomicU64,
    time::{Duration, SystemTime},
};

use prometheus_client::{
    encoding::{
        DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric, MetricEncoder,
    },
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        info::Info,
    },
    registry::{Registry, Unit},
};

pub use histogram::Histogram;
use jobs::Jobs;
pub use jobs::Runs;
use process::Process;
pub use requests::{OTHER, Requests};

/// Upper bounds of the buckets of requests that share a query: at most 64 do.
const SHARING: &[u64] = &[1, 2, 4, 8, 16, 32, 64];

/// A label with its value. Values are constants of the program, which bounds the number of series.
type Label = [(&'static str, &'static str); 1];
type Histograms = Family<Label, Histogram, fn() -> Histogram>;
type Timestamp = Gauge<f64, AtomicU64>;

/// The metrics that requests and jobs count.
#[derive(Debug)]
pub struct Metrics {
    /// Answered requests.
    pub requests: Requests,
    /// The time that passwords wait for a hashing thread.
    pub password_waits: Histogram,
    /// Queries that answer several reads.
    pub reads: Batches,
    /// Statements that write the rows of several requests.
    pub writes: Batches,
    problems: Family<Label, Counter>,
    sign_ins: Family<Label, Counter>,
    batch_requests: Histograms,
    batch_waits: Histograms,
    jobs: Jobs,
    started: SystemTime,
}

/// Queries of one kind that requests share.
#[derive(Clone, Debug)]
pub struct Batches {
    requests: Histogram,
    waits: Histogram,
}

impl Batches {
    /// Counts a query for this number of requests, of which one waited for `wait`, and no other longer.
    pub fn observe(&self, requests: usize, wait: Duration) {
        self.requests.observe(requests as u64);
        self.waits.observe_time(wait);
    }
}

impl Metrics {
    /// All at zero, for routes with these patterns and problems of these types.
    #[must_use]
    pub fn new(
        patterns: impl IntoIterator<Item = String>,
        problems: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let batch_requests = Histograms::new_with_constructor(|| Histogram::of_numbers(SHARING));
        let batch_waits = Histograms::new_with_constructor(Histogram::of_times);
        let batches = |kind| Batches {
            requests: batch_requests.get_or_create(&[("kind", kind)]).clone(),
            waits: batch_waits.get_or_create(&[("kind", kind)]).clone(),
        };
        let metrics = Self {
            requests: Requests::new(patterns),
            password_waits: Histogram::of_times(),
            reads: batches("read"),
            writes: batches("write"),
            batch_requests,
            batch_waits,
            problems: Family::default(),
            sign_ins: Family::default(),
            jobs: Jobs::default(),
            started: SystemTime::now(),
        };
        // So that a rate knows the first one.
        for problem in problems.into_iter().chain([OTHER]) {
            drop(metrics.problems.get_or_create(&[("type", problem)]));
        }
        for outcome in SignIn::ALL {
            drop(metrics.sign_ins.get_or_create(&outcome.label()));
        }
        metrics
    }

    /// Counts a response with a problem of the type `slug`.
    pub fn count_problem(&self, slug: &'static str) {
        self.problems.get_or_create(&[("type", slug)]).inc();
    }

    /// Counts an attempt at signing in with a password.
    pub fn count_sign_in(&self, outcome: SignIn) {
        self.sign_ins.get_or_create(&outcome.label()).inc();
    }

    /// The runs of the job `name`.
    #[must_use]
    pub fn runs(&self, name: &'static str) -> Runs {
        self.jobs.of(name)
    }

    /// Adds the metrics to `registry`, and those of the process.
    pub fn register(&self, registry: &mut Registry) {
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("acclaim_build", "The version of the program", version);
        registry.register_collector(Box::new(self.requests.clone()));
        registry.register(
            "acclaim_problems",
            "Responses with a problem, by its type",
            self.problems.clone(),
        );
        registry.register(
            "acclaim_sign_ins",
            "Attempts at signing in with a password, by outcome",
            self.sign_ins.clone(),
        );
        registry.register_with_unit(
            "acclaim_password_queue_wait",
            "Time that a password waited for a hashing thread",
            Unit::Seconds,
            self.password_waits.clone(),
        );
        registry.register(
            "acclaim_db_batch_requests",
            "Requests that shared a query or a batched write, by kind",
            self.batch_requests.clone(),
        );
        registry.register_with_unit(
            "acclaim_db_batch_wait",
            "Longest time that one of these requests waited for the query to begin, by kind",
            Unit::Seconds,
            self.batch_waits.clone(),
        );
        self.jobs.register(registry);
        let started = self.started;
        registry.register_collector(Box::new(Process { started }));
    }
}

/// The outcome of an attempt at signing in with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// A session was started.
    Success,
    /// The user is unknown, the password is wrong, or the account has too many attempts.
    Refused,
    /// The account is suspended.
    Suspended,
    /// The name has too many attempts.
    Limited,
    /// The service or the database is too busy, or failed.
    Failed,
}

impl SignIn {
    const ALL: [Self; 5] = [
        Self::Success,
        Self::Refused,
        Self::Suspended,
        Self::Limited,
        Self::Failed,
    ];

    fn label(self) -> Label {
        let outcome = match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Suspended => "suspended",
            Self::Limited => "limited",
            Self::Failed => "failed",
        };
        [("outcome", outcome)]
    }
}

/// Encodes a counter without labels.
///
/// # Errors
/// Those of the encoder.
pub fn counter(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: impl EncodeCounterValue,
) -> fmt::Result {
    let encoder = encoder.encode_descriptor(name, help, unit, MetricType::Counter)?;
    ConstCounter::new(value).encode(encoder)
}

/// Encodes a gauge without labels.
///
/// # Errors
/// Those of the encoder.
pub fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    let encoder = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    ConstGauge::new(value).encode(encoder)
}

/// Encodes a gauge with a value for each value of `label`.
///
/// # Errors
/// Those of the encoder.
pub fn gauges<V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    label: &'static str,
    values: impl IntoIterator<Item = (impl AsRef<str>, V)>,
) -> fmt::Result {
    let gauges = values
        .into_iter()
        .map(|(of, value)| (of, ConstGauge::new(value)));
    let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    family(encoder, label, gauges)
}

/// Encodes a counter with a value for each value of `label`.
///
/// # Errors
/// Those of the encoder.
pub fn counters<V: EncodeCounterValue>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    label: &'static str,
    values: impl IntoIterator<Item = (impl AsRef<str>, V)>,
) -> fmt::Result {
    let counters = values
        .into_iter()
        .map(|(of, value)| (of, ConstCounter::new(value)));
    let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    family(encoder, label, counters)
}

/// Encodes a metric for each value of `label`.
fn family(
    mut encoder: MetricEncoder,
    label: &'static str,
    metrics: impl Iterator<Item = (impl AsRef<str>, impl EncodeMetric)>,
) -> fmt::Result {
    for (of, metric) in metrics {
        metric.encode(encoder.encode_family(&[(label, of.as_ref())])?)?;
    }
    Ok(())
}

/// The Unix time in seconds.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}
