//! `OTEL_…`: the spans of requests, and that their collector can never harm the service.

mod collector;

use std::net::TcpListener;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use sea_orm::ConnectionTrait;
use serde_json::json;

use self::collector::{Collector, Received};
use crate::harness::{
    Fixture, apply, behaviour,
    process::Running,
    service::{Answer, PASSWORD, User},
    sqlite_behaviour,
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

async fn start(fixture: &Fixture, settings: &[(&str, &str)]) -> Running {
    fixture.migrate().await;
    let mut all = vec![("DATABASE_URL", fixture.url.as_str()), ("RUST_LOG", "info")];
    all.extend(settings);
    Running::start(fixture.folder(), &all).await
}

/// Stops the service, which sends the spans that are left, and returns its log.
async fn stop(running: Running) -> String {
    running.signal("TERM");
    let (code, log) = running.end().await;
    assert_eq!(code, Some(0), "{log}");
    log
}

async fn get(running: &Running, user: &User, path: &str, traceparent: &str) -> Answer {
    let request = running
        .service
        .request("GET", path)
        .bearer_auth(&user.token);
    let request = request.header("traceparent", traceparent);
    Answer::of(request.send().await.expect("no answer")).await
}

fn has_no_secret(received: &Received, user: &User) {
    let all = format!("{received:?}");
    for secret in [
        PASSWORD,
        "ann@",
        "private",
        "Contents of",
        &user.token,
        &user.refresh_token,
    ] {
        assert!(!all.contains(secret), "{secret} is in a span");
    }
}

#[apply(behaviour)]
async fn a_request_has_a_span_in_the_trace_of_its_caller(fixture: Fixture) {
    let collector = Collector::start().await;
    let settings = [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            &*format!("{}/otel/", collector.url),
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "X-Api-Key=a%20key, x-other=b"),
        ("OTEL_SERVICE_NAME", "posts-of-ann"),
    ];
    let running = start(&fixture, &settings).await;
    let user = running.service.user("ann").await;
    running.service.new_post(&user, "Contents of a post").await;
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let answer = get(&running, &user, "/posts/1?token=private", &traceparent).await;
    let answer = answer.expect(200);
    get(&running, &user, "/nowhere/private?x", "")
        .await
        .expect(404);
    let log = stop(running).await;

    let received = collector.received();
    for line in [
        "post /otel/v1/traces http/1.1\r\n",
        "\r\nx-api-key: a key\r\n",
        "\r\nx-other: b\r\n",
        "\r\ncontent-type: application/x-protobuf\r\n",
    ] {
        assert!(
            received.heads.iter().all(|head| head.contains(line)),
            "{line}"
        );
    }
    assert_eq!(received.resource["service.name"], "posts-of-ann");

    let span = received.span("GET /posts/{id}");
    assert_eq!((&*span.trace, &*span.parent), (TRACE, CALLER));
    assert_eq!((span.kind, span.is_error), (SpanKind::Server, false));
    let id = format!("[{}]", answer.header("x-request-id").expect("no id"));
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.header.x-request-id", &id),
        ("http.response.status_code", "200"),
        ("http.route", "/posts/{id}"),
        ("url.scheme", "http"),
    ];
    let attributes = span.attributes.iter();
    let attributes: Vec<(&str, &str)> = attributes.map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(attributes, expected);
    assert!(log.contains(&format!("trace_id={TRACE}")), "{log}");

    let children = received.children(span);
    let [statement] = children[..] else {
        panic!("{children:?}");
    };
    assert_eq!(
        (&*statement.name, &*statement.trace),
        ("SELECT posts", TRACE)
    );
    assert_eq!(
        (statement.kind, statement.is_error),
        (SpanKind::Client, false)
    );
    let system = if fixture.is_postgres() {
        "postgresql"
    } else {
        "sqlite"
    };
    let expected = [
        ("db.collection.name", "posts"),
        ("db.operation.name", "SELECT"),
        ("db.system.name", system),
    ];
    let attributes = statement.attributes.iter();
    let attributes: Vec<(&str, &str)> = attributes.map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(attributes, expected);

    // A trace of its own, without a route.
    let unknown = received.span("GET");
    assert_eq!((&*unknown.parent, unknown.is_error), ("", false));
    assert_ne!(unknown.trace, TRACE);
    assert_eq!(unknown.attributes.get("http.route"), None);
    let sign_in = received.span("POST /login");
    let children = received.children(sign_in);
    assert!(children.iter().any(|child| child.name == "hash a password"));
    assert!(
        children.iter().any(|child| child.name == "SELECT users"),
        "{children:?}"
    );
    let is_child = |name: &str| {
        received
            .spans
            .iter()
            .all(|span| span.name != name || !span.parent.is_empty())
    };
    assert!(is_child("BEGIN") && is_child("COMMIT"), "a job has a span");
    has_no_secret(&received, &user);
}

/// Requests that share a query cannot all be its parents.
#[apply(behaviour)]
async fn a_shared_query_is_linked_to_its_requests(fixture: Fixture) {
    let collector = Collector::start().await;
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url)];
    let running = start(&fixture, &settings).await;
    let user = running.service.user("ann").await;
    let posts = (0..200).map(|_| running.service.new_post(&user, "Title"));
    futures_util::future::join_all(posts).await;
    stop(running).await;
    let received = collector.received();
    let requests: Vec<&str> = received
        .spans
        .iter()
        .filter(|span| span.name == "POST /posts")
        .map(|span| &*span.id)
        .collect();
    let shared = received
        .spans
        .iter()
        .filter(|span| span.name == "shared query");
    let mut links = 0;
    for shared in shared {
        let of_requests = shared.links.iter().chain([&shared.parent]);
        assert!(of_requests.clone().all(|id| requests.contains(&&**id)));
        let count = of_requests.count();
        assert_eq!(shared.attributes["acclaim.requests"], count.to_string());
        links += count - 1;
        let children = received.children(shared);
        assert!(
            children.iter().any(|child| child.name == "INSERT posts"),
            "{children:?}"
        );
    }
    assert!(links > 0, "no query was shared");
}

#[apply(behaviour)]
async fn an_error_of_the_database_marks_its_spans(fixture: Fixture) {
    let collector = Collector::start().await;
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url)];
    let running = start(&fixture, &settings).await;
    let user = running.service.user("ann").await;
    let database = fixture.connect().await;
    let rename = "ALTER TABLE posts RENAME TO lost";
    database
        .execute_unprepared(rename)
        .await
        .expect("not renamed");
    running.service.get("/posts/1", &user).await.problem(500);
    stop(running).await;
    let received = collector.received();
    let span = received.span("GET /posts/{id}");
    assert!(span.is_error);
    assert_eq!(span.attributes["error.type"], "internal-server-error");
    let statement = received.span("SELECT posts");
    assert!(statement.is_error);
    let code = if fixture.is_postgres() { "42P01" } else { "1" };
    assert_eq!(statement.attributes["error.type"], code);
}

#[apply(sqlite_behaviour)]
async fn the_sampler_decides_which_requests_have_a_span(fixture: Fixture) {
    for (sampler, argument, of_sampled, of_unsampled, of_own) in [
        ("", "", true, false, true),
        ("always_on", "", true, true, true),
        ("always_off", "", false, false, false),
        ("parentbased_always_off", "", true, false, false),
        ("parentbased_traceidratio", "0", true, false, false),
        ("traceidratio", "0", false, false, false),
        ("traceidratio", "1.0", true, true, true),
    ] {
        let collector = Collector::start().await;
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url),
            ("OTEL_TRACES_SAMPLER", sampler),
            ("OTEL_TRACES_SAMPLER_ARG", argument),
        ];
        let running = start(&fixture, &settings).await;
        let get = async |path: &str, traceparent: &str| {
            let request = running.service.request("GET", path);
            let request = request.header("traceparent", traceparent);
            request.send().await.expect("no answer");
        };
        get("/health/live", &format!("00-{TRACE}-{CALLER}-01")).await;
        get("/", &format!("00-{TRACE}-{CALLER}-00")).await;
        get("/problems/not-found", "00-malformed").await;
        let log = stop(running).await;
        // Also that of a trace that is not recorded here.
        assert_eq!(
            log.matches(&format!("trace_id={TRACE}")).count(),
            2,
            "{log}"
        );
        let spans = collector.received().spans;
        let has = |route: &str| {
            spans
                .iter()
                .any(|span| span.attributes["http.route"] == route)
        };
        let found = [has("/health/live"), has("/"), has("/problems/{slug}")];
        assert_eq!(
            found,
            [of_sampled, of_unsampled, of_own],
            "{sampler} {argument}"
        );
    }
}

/// One that is away, and one that accepts connections and never answers.
#[apply(sqlite_behaviour)]
async fn a_collector_that_does_not_answer_delays_nothing(fixture: Fixture) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("no port");
    let silent = silent.local_addr().map(|address| (address, silent));
    let (address, _silent) = silent.expect("no address");
    for (url, lines) in [
        (
            format!("http://{address}"),
            [
                "dropped a Span due to queue full",
                "the last traces were not sent in time",
            ],
        ),
        (
            Collector::away(),
            [
                "traces are lost until the collector takes them again",
                "the collector did not take the last traces",
            ],
        ),
    ] {
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*url),
            ("OTEL_BSP_SCHEDULE_DELAY", "1"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8"),
        ];
        let running = start(&fixture, &settings).await;
        for _ in 0..100 {
            let live = running.service.call("GET", "/health/live", None, None);
            live.await.expect(200);
        }
        let log = stop(running).await;
        for line in lines {
            assert_eq!(log.matches(line).count(), 1, "{line}");
        }
    }
}

#[apply(sqlite_behaviour)]
async fn traces_are_off_by_default(fixture: Fixture) {
    let collector = Collector::start().await;
    let settings = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*collector.url),
        ("OTEL_TRACES_SAMPLER", "always_on"),
    ];
    let running = start(&fixture, &settings).await;
    let user = running.service.user("ann").await;
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    get(&running, &user, "/posts/1", &traceparent)
        .await
        .expect(404);
    let log = stop(running).await;
    assert!(!log.contains("trace_id"), "{log}");
    assert_eq!(collector.received().connections, 0);
}

/// The queue of spans is bounded in number, so spans must be bounded in size.
#[apply(sqlite_behaviour)]
async fn a_client_cannot_make_a_span_large(fixture: Fixture) {
    let collector = Collector::start().await;
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url)];
    let running = start(&fixture, &settings).await;
    let path = format!("/{}", "ä/".repeat(5000));
    let request = running.service.request("GET", &path);
    let request = request.header("tracestate", format!("x={}", "a".repeat(250)));
    let request = request.header("traceparent", format!("00-{TRACE}-{CALLER}-01"));
    let answer = request.send().await.expect("no answer");
    assert_eq!(answer.status(), 404);
    let body = json!({"username": "x".repeat(10_000), "password": PASSWORD});
    let posted = running.service.call("POST", "/users", None, Some(body));
    posted.await.problem(422);
    stop(running).await;
    for span in collector.received().spans {
        let size: usize = span.attributes.values().map(String::len).sum();
        assert!(size < 500, "{span:?}");
    }
}
