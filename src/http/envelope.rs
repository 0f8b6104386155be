//! The outermost middleware.

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType,
        header::{HeaderValue, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::Next,
    web::Data,
};

use super::{
    State, problem,
    request_id::{RequestId, X_REQUEST_ID},
};

/// Adds `X-Request-Id` and `X-Content-Type-Options: nosniff` to every response. Replaces the body of
/// every 4xx and 5xx by problem details. Counts open requests. Closes the connection if the server is
/// stopping.
pub async fn envelope(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let drain = request
        .app_data::<Data<State>>()
        .map(|state| state.drain.clone())
        .unwrap_or_default();
    let _guard = drain.begin();
    let id = RequestId::of(&request);
    request.extensions_mut().insert(id.clone());
    let mut response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = problem::render(response, &id);
    }
    if drain.is_stopping() {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(id) = id.header() {
        headers.insert(X_REQUEST_ID, id);
    }
    Ok(response)
}
