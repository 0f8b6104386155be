//! The metrics, read by the Python library of the Prometheus project.

use crate::{
    harness::{Fixture, apply, behaviour, process::Running},
    tools::{project, succeeds, tool},
};

#[apply(behaviour)]
async fn the_parser_of_prometheus_reads_the_metrics(fixture: Fixture) {
    fixture.migrate().await;
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("METRICS_ADDR", "127.0.0.1:0"),
    ];
    let running = Running::start(fixture.folder(), &settings).await;
    running.service.user("ada").await;
    let mut parser = tool("python", fixture.folder());
    let url = running.metrics.as_ref().expect("no metrics");
    parser.arg(project("tests/contract/metrics.py")).arg(url);
    assert_eq!(succeeds(&mut parser).await.trim(), "ok");
}
