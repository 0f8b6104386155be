//! The limit of all requests from one address, and the headers of every limit.

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};

use super::{
    State,
    limits::{self, AddressLimit, EXEMPT},
};

/// Middleware: counts the request, and adds `RateLimit-Policy` and `RateLimit` of the tightest
/// limit to the answer.
pub async fn rate_limit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.path().starts_with(EXEMPT) {
        return next
            .call(request)
            .await
            .map(ServiceResponse::map_into_boxed_body);
    }
    let counted = State::of(request.request()).and_then(|state| {
        let limits = &state.limits;
        limits.count_address(request.request(), AddressLimit::Requests)
    });
    let mut answer = match counted {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(problem) => ServiceResponse::from_err(problem, request.into_parts().0),
    };
    let headers = limits::headers(answer.request());
    for (name, value) in headers.into_iter().flatten() {
        answer.headers_mut().insert(name, value);
    }
    Ok(answer)
}
