//! The outermost middleware.

use actix_web::{
    Error, HttpMessage,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType,
        header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::Next,
    web::Data,
};

use super::{
    Problem, State,
    connections::{LARGE, OpenRequest, Sliced},
    measure::Measurement,
    problem,
    request_id::{RequestId, X_REQUEST_ID},
};

/// Adds `X-Request-Id` and `X-Content-Type-Options: nosniff` to every response, and `Cache-Control:
/// no-store` unless the handler allows caching. Replaces the body of every 4xx and 5xx by problem
/// details. Counts open requests, until the last byte of a streamed response. Closes the connection
/// if the server is stopping.
pub async fn envelope(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let drain = request
        .app_data::<Data<State>>()
        .map(|state| state.drain.clone())
        .unwrap_or_default();
    let measurement = Measurement::begin(&request);
    let guard = drain.begin();
    let open = OpenRequest::begin(request.request());
    let id = RequestId::of(&request);
    request.extensions_mut().insert(id.clone());
    let mut response = next.call(request).await?.map_into_boxed_body();
    response = reserve(response, open.as_ref()).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = problem::render(response, &id);
    }
    if let Some(measurement) = measurement {
        measurement.end(&response);
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
    if let Some(id) = id.header() {
        headers.insert(X_REQUEST_ID, id);
    }
    // The request of a streamed response is open until its last byte.
    Ok(match response.response().body().size() {
        BodySize::Stream => {
            response.map_body(|_, body| BoxBody::new(Sliced::new(body, (guard, open))))
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
            let cause = "the budget for large responses is used up".to_owned();
            let problem =
                Problem::unavailable("too many large responses are being sent", Some(cause));
            return ServiceResponse::from_err(problem, response.into_parts().0);
        }
    };
    response.map_body(|_, body| BoxBody::new(Sliced::new(body, reservation)))
}
