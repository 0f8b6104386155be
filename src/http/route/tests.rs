use actix_web::{App, HttpResponse, ResponseError, http::StatusCode, test, web};
use tokio::time::{Instant, sleep};

use super::{Guard, TIMEOUT, configure, guarded};
use crate::{http::Problem, services::auth::Identity};

/// The status for the client, and the cause for the operator.
async fn answer(path: &str) -> (StatusCode, String) {
    async fn panics() -> HttpResponse {
        panic!("out of luck")
    }
    async fn hangs() -> HttpResponse {
        sleep(TIMEOUT * 2).await;
        HttpResponse::Ok().finish()
    }
    async fn needs_the_caller(_: Identity) -> HttpResponse {
        HttpResponse::Ok().finish()
    }
    let guard = Guard::PUBLIC;
    let app = App::new()
        .service(web::resource("/caller").route(guarded(web::get().to(needs_the_caller), guard)))
        .service(web::resource("/panics").route(guarded(web::get().to(panics), guard)))
        .service(web::resource("/hangs").route(guarded(web::get().to(hangs), guard)));
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
    let (status, cause) = answer("/panics").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(cause, "a handler panicked: out of luck");
}

#[tokio::test]
async fn a_public_route_that_needs_the_caller_is_a_500() {
    let (status, cause) = answer("/caller").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(cause, "a public route needs the caller");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_a_503() {
    let start = Instant::now();
    let (status, cause) = answer("/hangs").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(cause.contains("took longer"), "{cause}");
    assert!(start.elapsed() < TIMEOUT * 2);
}

#[tokio::test]
async fn a_fixed_path_wins_over_a_pattern_that_stands_before_it() {
    #[utoipa::path(get, path = "/things/{id}", responses((status = 200)))]
    async fn one() -> &'static str {
        "pattern"
    }
    #[utoipa::path(get, path = "/things/newest", responses((status = 200)))]
    async fn newest() -> &'static str {
        "fixed"
    }
    let routes = |config: &mut _| configure(config, &[route!(one), route!(newest)]);
    let app = test::init_service(App::new().configure(routes)).await;
    for (path, handler) in [("/things/newest", "fixed"), ("/things/1", "pattern")] {
        let request = test::TestRequest::get().uri(path).to_request();
        assert_eq!(test::call_and_read_body(&app, request).await, handler);
    }
}
