//! The record of a request, for its log line and the metrics.

use std::{cell::Cell, rc::Rc, time::Instant};

use actix_web::{
    HttpMessage, HttpRequest,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
};
use entity::values::UserId;
use opentelemetry::trace::TraceId;

use super::{Problem, State, request_id::RequestId};
use crate::metrics::OTHER;

/// The record of a request. It is one extension of the request, because actix-web allocates and fills
/// a larger table of extensions when there are many: that took more time than what is measured.
pub struct RequestRecord {
    /// Its id.
    pub id: RequestId,
    /// The id of its trace; `None` if traces are off.
    pub trace_id: Option<TraceId>,
    /// When its head was read.
    pub began: Instant,
    /// The position of the pattern of the route that answers it; `None` until it is known.
    pub(super) route: Cell<Option<usize>>,
    /// The user whose token it has; `None` until they are known.
    pub(super) user: Cell<Option<UserId>>,
}

impl RequestRecord {
    /// Begins the record of `request`.
    #[must_use]
    pub fn begin(request: &ServiceRequest, trace_id: Option<TraceId>) -> Rc<Self> {
        let record = Rc::new(Self {
            id: RequestId::of(request),
            trace_id,
            began: Instant::now(),
            route: Cell::default(),
            user: Cell::default(),
        });
        request.extensions_mut().insert(Rc::clone(&record));
        record
    }

    /// The record of `request`. `None` if the server was built without the middleware that begins it.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        request.extensions().get().cloned()
    }

    /// Counts `response`, and its problem if it has one. Does nothing if metrics are off.
    pub fn count(&self, response: &ServiceResponse<BoxBody>) {
        let request = response.request();
        let state = State::of(request).ok();
        let Some(metrics) = state.and_then(|state| state.metrics.as_ref()) else {
            return;
        };
        let (method, status) = (request.method(), response.status());
        let time = self.began.elapsed();
        let requests = &metrics.requests;
        requests.observe(self.route.get(), method.as_str(), status.as_u16(), time);
        if status.is_client_error() || status.is_server_error() {
            let problem = Problem::type_of(response);
            metrics.count_problem(problem.map_or(OTHER, |problem| problem.slug));
        }
    }
}
