//! Middleware for the limit of requests per address and for the headers of all rate limits.

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};

use super::{
    State,
    limits::{self, AddressLimit, EXEMPT_PREFIX},
};

/// Counts the request, and adds `RateLimit-Policy` and `RateLimit` for the tightest limit to the
/// response.
pub async fn rate_limit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.path().starts_with(EXEMPT_PREFIX) {
        return next
            .call(request)
            .await
            .map(ServiceResponse::map_into_boxed_body);
    }
    let counted = State::of(request.request()).and_then(|state| {
        let limits = &state.limits;
        limits.count_address(request.request(), AddressLimit::Requests)
    });
    let mut response = match counted {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(problem) => ServiceResponse::from_err(problem, request.into_parts().0),
    };
    let headers = limits::headers(response.request());
    for (name, value) in headers.into_iter().flatten() {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}
