//! The outermost middleware.

use actix_web::{
    Error,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType,
        header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::Next,
    web::Data,
};
use tracing::Instrument;

use super::{
    Problem, RequestRecord, State,
    connections::{LARGE, OpenRequest, Sliced},
    event_stream::is_event_stream,
    problem,
    request_id::X_REQUEST_ID,
    server_span::ServerSpan,
    trace::{log_request, request_span},
};

/// Adds `X-Request-Id` and `X-Content-Type-Options: nosniff` to every response, and `Cache-Control:
/// no-store` unless the handler allows caching. Replaces the body of every 4xx and 5xx by problem
/// details. Logs requests. Traces them and counts open ones, until the last byte of a streamed response.
/// Closes the connection if the server is stopping.
pub async fn envelope(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let drain = request
        .app_data::<Data<State>>()
        .map(|state| state.drain.clone())
        .unwrap_or_default();
    let span = ServerSpan::begin(&request);
    let record = RequestRecord::begin(&request, span.as_ref().map(ServerSpan::trace_id));
    let guard = drain.begin();
    let open = OpenRequest::begin(request.request());
    let log_span = request_span(&record);
    let answer = async {
        let response = ServerSpan::around(span.as_ref(), next.call(request)).await?;
        Ok(reserve(response.map_into_boxed_body(), open.as_ref()).await)
    };
    let answer = answer.instrument(log_span.clone()).await;
    log_span.in_scope(|| log_request(&record, &answer));
    let mut response = answer?;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = problem::render(response, &record.id);
    }
    record.count(&response);
    if let Some(span) = &span {
        span.describe(&response, &record.id);
    }
    if drain.is_stopping() {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Without it, caches may store some statuses, such as 200 and 404 (RFC 9111, section 4.2.2).
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(id) = record.id.header() {
        headers.insert(X_REQUEST_ID, id);
    }
    // The request of a streamed response is open until its last byte.
    Ok(match response.response().body().size() {
        BodySize::Stream => {
            // The stop does not wait for a stream of events.
            let guard = (!is_event_stream(&response)).then_some(guard);
            response.map_body(|_, body| BoxBody::new(Sliced::new(body, (guard, open, span))))
        }
        _ => response,
    })
}

/// Takes a place in the budget of large responses for `response`, or replaces it with a 503. The
/// response to a write is sent in any case: the write was committed, and must not be repeated.
async fn reserve(
    response: ServiceResponse<BoxBody>,
    open: Option<&OpenRequest>,
) -> ServiceResponse<BoxBody> {
    let BodySize::Sized(size) = response.response().body().size() else {
        return response;
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let Some(open) = open.filter(|_| size >= LARGE) else {
        return response;
    };
    let reservation = match open.reserve(size).await {
        Some(reservation) => reservation,
        None if !response.request().method().is_safe() => open.exceed(size),
        None => {
            let problem = Problem::unavailable("too many large responses are being sent", None);
            return ServiceResponse::from_err(problem, response.into_parts().0);
        }
    };
    response.map_body(|_, body| BoxBody::new(Sliced::new(body, reservation)))
}
