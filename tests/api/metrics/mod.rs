//! `METRICS_ADDR`: what it serves, that its size is bounded, and that its documentation is complete.

mod deployed;
mod scrape;

use std::{collections::BTreeSet, fs, net::TcpListener};

use reqwest::Client;
use serde_json::json;

use self::scrape::Scrape;
use crate::{
    architecture::root,
    harness::{
        Fixture, apply, behaviour,
        process::{Running, run},
        service::{Answer, PASSWORD, Service},
        sqlite_behaviour,
    },
};

async fn get(url: &str) -> Answer {
    let client = Client::builder().no_proxy().build().expect("no client");
    Answer::of(client.get(url).send().await.expect("no answer")).await
}

async fn scrape(running: &Running) -> Scrape {
    let url = running.metrics.as_ref().expect("no metrics");
    let answer = get(url).await.expect(200);
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(media_type));
    Scrape::parse(&answer.text)
}

async fn start(fixture: &Fixture) -> Running {
    fixture.migrate().await;
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("METRICS_ADDR", "127.0.0.1:0"),
        ("RATE_LIMIT_REQUESTS", "100000/second"),
    ];
    Running::start(fixture.folder(), &settings).await
}

async fn fail_to_sign_in(service: &Service, name: &str) {
    let form = [("username", name), ("password", "a wrong password")];
    let request = service.request("POST", "/login").form(&form);
    Answer::of(request.send().await.expect("no answer"))
        .await
        .expect(401);
}

/// What the test counts: each series with its value.
const COUNTS: [(&str, u32); 21] = [
    (
        r#"acclaim_http_requests_total{route="/posts",method="POST",status="201"}"#,
        2,
    ),
    (
        r#"acclaim_http_requests_total{route="/posts/{id}",method="GET",status="200"}"#,
        3,
    ),
    (
        r#"acclaim_http_requests_total{route="/posts/{id}",method="HEAD",status="200"}"#,
        1,
    ),
    (
        r#"acclaim_http_requests_total{route="/posts/{id}",method="GET",status="404"}"#,
        1,
    ),
    (
        r#"acclaim_http_requests_total{route="other",method="GET",status="404"}"#,
        1,
    ),
    (
        r#"acclaim_http_request_duration_seconds_count{route="/posts/{id}",method="GET"}"#,
        4,
    ),
    (
        r#"acclaim_http_request_duration_seconds_bucket{le="+Inf",route="/posts/{id}",method="GET"}"#,
        4,
    ),
    (r#"acclaim_problems_total{type="not-found"}"#, 2),
    (r#"acclaim_problems_total{type="email-taken"}"#, 1),
    (r#"acclaim_problems_total{type="internal-server-error"}"#, 0),
    (r#"acclaim_sign_ins_total{outcome="success"}"#, 1),
    (r#"acclaim_sign_ins_total{outcome="refused"}"#, 1),
    (r#"acclaim_sign_ins_total{outcome="limited"}"#, 0),
    // Two new users, and two sign-ins.
    ("acclaim_password_queue_wait_seconds_count", 4),
    ("acclaim_password_queue_length", 0),
    (r#"acclaim_db_batch_requests_sum{kind="write"}"#, 2),
    (r#"acclaim_db_batch_wait_seconds_count{kind="write"}"#, 2),
    ("acclaim_db_reachable", 1),
    (r#"acclaim_rate_limit_keys{limit="requests"}"#, 1),
    (r#"acclaim_job_failures_total{name="cleanup"}"#, 0),
    (
        concat!(
            r#"acclaim_build_info{version=""#,
            env!("CARGO_PKG_VERSION"),
            r#""}"#
        ),
        1,
    ),
];

#[apply(behaviour)]
async fn metrics_count_what_clients_did(fixture: Fixture) {
    let running = start(&fixture).await;
    let service = &running.service;
    let ann = service.user("ann").await;
    for title in ["One", "Two"] {
        service.new_post(&ann, title).await;
    }
    for _ in 0..3 {
        service.get("/posts/1", &ann).await.expect(200);
    }
    service
        .call("HEAD", "/posts/1", Some(&ann), None)
        .await
        .expect(200);
    service.get("/posts/99", &ann).await.expect(404);
    service.get("/nowhere", &ann).await.expect(404);
    let again = json!({"email": "ann@example.com", "username": "other", "password": PASSWORD});
    service
        .call("POST", "/users", None, Some(again))
        .await
        .expect(409);
    fail_to_sign_in(service, "ann").await;
    let scrape = scrape(&running).await;
    for (series, value) in COUNTS {
        let counted = scrape.value(series);
        assert!(
            (counted - f64::from(value)).abs() < 0.1,
            "{series} is {counted}"
        );
    }
    let took =
        scrape.value(r#"acclaim_http_request_duration_seconds_sum{route="/users",method="POST"}"#);
    assert!(took > 0.005, "two hashes took {took} s");
    for (series, at_least) in [
        (r#"acclaim_db_batch_requests_sum{kind="read"}"#, 4.0),
        ("acclaim_http_connections", 1.0),
        ("acclaim_event_streams", 0.0),
        (r#"acclaim_job_runs_total{name="removal"}"#, 1.0),
        (
            r#"acclaim_job_last_success_timestamp_seconds{name="removal"}"#,
            1.7e9,
        ),
        ("process_start_time_seconds", 1.7e9),
        ("process_resident_memory_bytes", 5e6),
        ("process_cpu_seconds_total", 0.01),
        ("process_open_fds", 5.0),
        ("process_max_fds", 5.0),
    ] {
        let value = scrape.value(series);
        assert!(value >= at_least, "{series} is {value}");
    }
    let pools = if fixture.is_postgres() {
        ["workers", "jobs"]
    } else {
        ["readers", "writer"]
    };
    for pool in pools {
        let value =
            |name: &str| scrape.value(&format!("acclaim_db_pool_{name}{{pool=\"{pool}\"}}"));
        assert!(value("connections_max") >= 1.0);
        assert!(value("connections_in_use") <= value("connections_max"));
        assert!(value("waiting") < 1.0);
    }
    let log = scrape.series.get("acclaim_sqlite_wal_bytes");
    assert_eq!(log.is_none(), fixture.is_postgres());
    assert_ne!(log.map(String::as_str), Some("0"));
    running.signal("TERM");
    assert_eq!(running.end().await.0, Some(0));
}

#[apply(behaviour)]
async fn clients_cannot_add_series(fixture: Fixture) {
    let running = start(&fixture).await;
    let service = &running.service;
    let send = async |from: u32| {
        for number in from..from + 250 {
            let method = ["GET", "BREW", "PROPFIND", "DELETE"][number as usize % 4];
            let method = match number % 4 {
                1 => format!("{method}{number}"),
                _ => method.to_owned(),
            };
            service
                .call(&method, &format!("/{number}/x?y={number}"), None, None)
                .await
                .expect(404);
            service
                .call("GET", &format!("/posts/{number}"), None, None)
                .await
                .expect(401);
        }
    };
    // The first requests of each kind.
    send(0).await;
    let before = scrape(&running).await;
    send(1000).await;
    let after = scrape(&running).await;
    assert!(before.series.keys().eq(after.series.keys()));
    let others = r#"acclaim_http_requests_total{route="other",method="other",status="404"}"#;
    assert!(after.value(others) > before.value(others));
}

#[apply(sqlite_behaviour)]
async fn metrics_are_off_by_default(fixture: Fixture) {
    let running = Running::start(fixture.folder(), &[("DATABASE_URL", &fixture.url)]).await;
    assert_eq!(running.metrics, None);
    let answer = running.service.call("GET", "/metrics", None, None).await;
    answer.problem(404);
}

#[apply(sqlite_behaviour)]
async fn the_listener_of_metrics_serves_nothing_else(fixture: Fixture) {
    let running = start(&fixture).await;
    let url = running.metrics.clone().expect("no metrics");
    let base = url.strip_suffix("/metrics").expect("another path");
    let service = Service::new(base.to_owned());
    for (method, path, status) in [
        ("HEAD", "/metrics", 200),
        ("POST", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/posts", 404),
        ("GET", "/metrics/", 404),
    ] {
        let answer = service.call(method, path, None, None).await.expect(status);
        assert_eq!(answer.text, "");
    }
}

#[apply(sqlite_behaviour)]
async fn a_port_in_use_is_a_clear_error(fixture: Fixture) {
    let taken = TcpListener::bind("127.0.0.1:0").expect("no port");
    let address = taken.local_addr().expect("no address").to_string();
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("PORT", "0"),
        ("METRICS_ADDR", &address),
    ];
    let ended = run(fixture.folder(), &["serve"], &settings).await;
    assert_eq!(ended.code, Some(2));
    let error = format!(
        "acclaim: {address} is in use by another program; set METRICS_ADDR to a free port\n"
    );
    assert_eq!(ended.stderr, error);
    // Nothing was created before.
    assert_eq!(
        fs::read_dir(fixture.folder()).expect("no folder").count(),
        0
    );
}

/// The names in the first column of the table of metrics.
fn documented() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/operations.md")).expect("no page");
    let (_, text) = text.split_once("## Metrics\n").expect("no metrics");
    let (text, _) = text.split_once("\n## ").expect("no end");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split(['`', '{']).next());
    names.map(str::to_owned).collect()
}

#[apply(behaviour)]
async fn every_metric_is_documented(fixture: Fixture) {
    let running = start(&fixture).await;
    running.service.user("ann").await;
    let scrape = scrape(&running).await;
    let mut served: BTreeSet<String> = scrape
        .types
        .iter()
        .map(|(name, kind)| match kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.clone(),
        })
        .collect();
    if fixture.is_postgres() {
        served.insert("acclaim_sqlite_wal_bytes".to_owned());
    }
    assert_eq!(served, documented());
}
