//! Measures requests for the metrics. Does nothing if they are off.

use std::time::Instant;

use actix_web::{
    HttpMessage,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
};

use super::{Problem, State};
use crate::metrics::OTHER;

/// A request that is measured.
pub struct Measurement(Instant);

/// The position of the pattern of the route that answers the request; `None` until it is known.
struct Matched(Option<usize>);

impl Measurement {
    /// Begins to measure `request`; `None` if metrics are off.
    pub fn begin(request: &ServiceRequest) -> Option<Self> {
        State::of(request.request()).ok()?.metrics.as_ref()?;
        request.extensions_mut().insert(Matched(None));
        Some(Self(Instant::now()))
    }

    /// Notes which route answers `request`.
    pub fn matched(request: &ServiceRequest, pattern: usize) {
        if let Some(matched) = request.extensions_mut().get_mut::<Matched>() {
            matched.0 = Some(pattern);
        }
    }

    /// Counts `response`, and its problem if it has one.
    pub fn end(self, response: &ServiceResponse<BoxBody>) {
        let request = response.request();
        let Some(metrics) = State::of(request)
            .ok()
            .and_then(|state| state.metrics.as_ref())
        else {
            return;
        };
        let extensions = request.extensions();
        let route = extensions.get::<Matched>().and_then(|matched| matched.0);
        let status = response.status();
        metrics.requests.observe(
            route,
            request.method().as_str(),
            status.as_u16(),
            self.0.elapsed(),
        );
        if status.is_client_error() || status.is_server_error() {
            let problem = Problem::type_of(response);
            metrics.count_problem(problem.map_or(OTHER, |problem| problem.slug));
        }
    }
}
