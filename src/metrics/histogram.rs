//! A histogram that takes no lock.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};

/// Upper bounds of the buckets of times, in nanoseconds: 0.1 ms to 10 s.
const TIMES: &[u64] = &[
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];
const NANOSECONDS: f64 = 1e9;

/// Counts observed values by bucket. Clones share the counts. That of `prometheus-client` locks a mutex
/// for each value, which the workers of the server would wait for.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    bounds: &'static [u64],
    /// One for each bound, and one for values above the last.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// The number of observed units in a unit of the metric.
    scale: f64,
}

impl Histogram {
    /// Of times from 0.1 ms to 10 s.
    #[must_use]
    pub fn of_times() -> Self {
        Self::new(TIMES, NANOSECONDS)
    }

    /// Of numbers, with a bucket up to each of `bounds`, in ascending order.
    #[must_use]
    pub fn of_numbers(bounds: &'static [u64]) -> Self {
        Self::new(bounds, 1.0)
    }

    fn new(bounds: &'static [u64], scale: f64) -> Self {
        Self(Arc::new(Counts {
            bounds,
            buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            scale,
        }))
    }

    /// Observes a time.
    pub fn observe_time(&self, time: Duration) {
        self.observe(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Observes a number.
    pub fn observe(&self, value: u64) {
        let counts = &self.0;
        let index = counts.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = counts.buckets.get(index) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        counts.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// True if no value was observed.
    pub(super) fn is_empty(&self) -> bool {
        let mut buckets = self.0.buckets.iter();
        buckets.all(|bucket| bucket.load(Ordering::Relaxed) == 0)
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let counts = &self.0;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a float has 53 bits of precision, and a sum of 104 days in nanoseconds fits"
        )]
        let scaled = |value: u64| value as f64 / counts.scale;
        let bounds = counts.bounds.iter().map(|bound| scaled(*bound));
        let bounds = bounds.chain([f64::INFINITY]);
        let buckets = counts.buckets.iter();
        let buckets = buckets.map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(buckets).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = scaled(counts.sum.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
