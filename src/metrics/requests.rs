//! Requests by route, method and status.

use std::{
    array, fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
    registry::Unit,
};

use super::Histogram;

/// The value of a label for everything that has no value of its own.
pub const OTHER: &str = "other";
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", OTHER,
];
/// The statuses of the service. Another one is counted as [`OTHER`].
const STATUSES: [u16; 20] = [
    200, 201, 204, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 422, 429, 500, 503,
    507,
];

/// The requests of every route. Clones share the counts. The route table bounds the number of series: at
/// most 8 methods and 21 statuses of each pattern, of which only those with a request are sent.
#[derive(Clone, Debug)]
pub struct Requests(Arc<[Route]>);

#[derive(Debug)]
struct Route {
    pattern: String,
    methods: [Method; METHODS.len()],
}

#[derive(Debug)]
struct Method {
    time: Histogram,
    /// One for each of [`STATUSES`], and one for others.
    statuses: [AtomicU64; STATUSES.len() + 1],
}

impl Requests {
    /// Without a request, for routes with these patterns.
    pub(super) fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        let patterns = patterns.into_iter().chain([OTHER.to_owned()]);
        let route = |pattern| Route {
            pattern,
            methods: array::from_fn(|_| Method {
                time: Histogram::of_times(),
                statuses: array::from_fn(|_| AtomicU64::new(0)),
            }),
        };
        Self(patterns.map(route).collect())
    }

    /// Counts a request. `route` is the position of its pattern; `None` if no route answered.
    pub fn observe(&self, route: Option<usize>, method: &str, status: u16, time: Duration) {
        let route = route.and_then(|route| self.0.get(route));
        let Some(route) = route.or_else(|| self.0.last()) else {
            return;
        };
        let mut methods = METHODS.iter().zip(&route.methods);
        let method = methods.find(|(name, _)| **name == method);
        let method = method.map(|(_, counts)| counts);
        let Some(method) = method.or_else(|| route.methods.last()) else {
            return;
        };
        method.time.observe_time(time);
        let status = STATUSES.iter().position(|known| *known == status);
        if let Some(count) = method.statuses.get(status.unwrap_or(STATUSES.len())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The methods that a route was called with.
    fn used(&self) -> impl Iterator<Item = (&str, &str, &Method)> {
        self.0.iter().flat_map(|route| {
            let methods = METHODS.into_iter().zip(&route.methods);
            let methods = methods.filter(|(_, method)| !method.time.is_empty());
            methods.map(|(name, method)| (route.pattern.as_str(), name, method))
        })
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut family = encoder.encode_descriptor(
            "acclaim_http_requests",
            "Answered requests by route, method and status",
            None,
            MetricType::Counter,
        )?;
        for (route, method, counts) in self.used() {
            let names = STATUSES.iter().map(u16::to_string);
            for (status, count) in names.chain([OTHER.to_owned()]).zip(&counts.statuses) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [("route", route), ("method", method), ("status", &status)];
                    ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        let mut family = encoder.encode_descriptor(
            "acclaim_http_request_duration",
            "Time from the head of a request to the head of its response, by route and method",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (route, method, counts) in self.used() {
            let labels = [("route", route), ("method", method)];
            counts.time.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
