//! Routes whose handlers can neither hang nor take their connection down.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use actix_web::{
    Error, FromRequest, Handler, Resource, Responder, Route,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::{Next, from_fn},
    web,
};
use futures_util::FutureExt;

use super::Problem;

/// How long a request may take, its body's arrival included. Shorter than the time that a stopping
/// server grants to what is under way.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Adds `handler` to `resource` for GET, and for HEAD, which answers the same without a body
/// (RFC 9110, section 9.3.2).
pub fn get<F, A>(resource: Resource, handler: F) -> Resource
where
    F: Handler<A> + Clone,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource
        .route(on(Method::GET, handler.clone()))
        .route(on(Method::HEAD, handler))
}

/// A route for `method` that answers 503 after [`TIMEOUT`] and 500 when `handler` panics.
pub fn on<F, A>(method: Method, handler: F) -> Route
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::method(method).to(handler).wrap(from_fn(bound))
}

async fn bound(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let parts = request.request().clone();
    // Whatever a handler shares with others is behind a lock or is a database's.
    let answer = AssertUnwindSafe(next.call(request)).catch_unwind();
    let problem = match tokio::time::timeout(TIMEOUT, answer).await {
        Ok(Ok(answer)) => return answer.map(ServiceResponse::map_into_boxed_body),
        Ok(Err(panic)) => Problem::internal(format!("a handler panicked: {}", message(&*panic))),
        Err(_) => Problem::unavailable(
            "the request took too long",
            Some(format!("a handler took longer than {TIMEOUT:?}")),
        ),
    };
    Ok(ServiceResponse::from_err(problem, parts))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpResponse, ResponseError, http::StatusCode, test, web};
    use tokio::time::{Instant, sleep};

    use super::{Method, TIMEOUT, on};
    use crate::http::Problem;

    /// The status that a client is told, and what the operator is told.
    async fn told(path: &str) -> (StatusCode, String) {
        async fn panics() -> HttpResponse {
            panic!("out of luck")
        }
        async fn hangs() -> HttpResponse {
            sleep(TIMEOUT * 2).await;
            HttpResponse::Ok().finish()
        }
        let app = App::new()
            .service(web::resource("/panics").route(on(Method::GET, panics)))
            .service(web::resource("/hangs").route(on(Method::GET, hangs)));
        let app = test::init_service(app).await;
        let request = test::TestRequest::get().uri(path).to_request();
        let answer = test::call_service(&app, request).await;
        let problem = answer.response().error().unwrap().as_error::<Problem>();
        let problem = problem.unwrap();
        assert_eq!(problem.status_code(), answer.status());
        assert!(!problem.to_string().contains("luck"));
        (answer.status(), problem.cause().unwrap().to_owned())
    }

    #[tokio::test]
    async fn a_panic_is_a_500() {
        let (status, cause) = told("/panics").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(cause, "a handler panicked: out of luck");
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_hangs_is_a_503() {
        let start = Instant::now();
        let (status, cause) = told("/hangs").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(cause.contains("took longer"), "{cause}");
        assert!(start.elapsed() < TIMEOUT * 2);
    }
}
