//! `acclaim health`

use tokio::net::TcpListener;

use crate::harness::{
    Fixture, apply, behaviour, postgres_behaviour,
    process::{Running, run},
    proxy::{Link, Proxy},
};

#[apply(behaviour)]
async fn health_tells_whether_the_server_of_the_settings_is_ready(fixture: Fixture) {
    fixture.migrate().await;
    let running = Running::start(fixture.folder(), &[("DATABASE_URL", &fixture.url)]).await;
    let base = running.service.base.clone();
    let (_, port) = base.rsplit_once(':').expect("no port");
    let health = async |host: &str| {
        let settings = [("HOST", host), ("PORT", port)];
        run(fixture.folder(), &["health"], &settings).await
    };
    for host in ["127.0.0.1", "0.0.0.0"] {
        let ended = health(host).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stdout, format!("{base} is ready\n"));
    }
    let by_url = run(fixture.folder(), &["health", "--url", &base], &[]).await;
    assert_eq!(by_url.code, Some(0), "{}", by_url.stderr);
    running.signal("TERM");
    assert_eq!(running.end().await.0, Some(0));
    let ended = health("127.0.0.1").await;
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1));
    let error = format!("acclaim: {base} is not ready: Connection refused");
    assert!(ended.stderr.starts_with(&error), "{}", ended.stderr);
}

#[apply(postgres_behaviour)]
async fn health_has_the_status_of_a_server_without_its_database(fixture: Fixture) {
    fixture.migrate().await;
    let proxy = Proxy::to(&fixture.url).await;
    let running = Running::start(fixture.folder(), &[("DATABASE_URL", proxy.url.as_str())]).await;
    proxy.set(Link::Cut);
    running.service.readiness(503).await;
    let arguments = ["health", "--url", &running.service.base];
    let ended = run(fixture.folder(), &arguments, &[]).await;
    assert_eq!(ended.code, Some(1));
    let error = "is not ready: 503 Service Unavailable\n";
    assert!(ended.stderr.ends_with(error), "{}", ended.stderr);
}

#[apply(behaviour)]
async fn health_does_not_wait_forever(fixture: Fixture) {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("no port");
    let url = format!("http://{}", silent.local_addr().expect("no address"));
    let ended = run(fixture.folder(), &["health", "--url", &url], &[]).await;
    assert_eq!(ended.code, Some(1));
    let error = "is not ready: no response within 5s\n";
    assert!(ended.stderr.ends_with(error), "{}", ended.stderr);
}

#[apply(behaviour)]
async fn health_refuses_urls_that_it_cannot_ask(fixture: Fixture) {
    for url in [
        "127.0.0.1:8000",
        "https://127.0.0.1",
        "http://127.0.0.1/health/ready",
        "http://ada:hidden@127.0.0.1",
        "unix:/run/acclaim",
    ] {
        let ended = run(fixture.folder(), &["health", "--url", url], &[]).await;
        assert_eq!(ended.code, Some(2));
        let error = "expected an http URL without a path";
        assert!(ended.stderr.contains(error), "{url}: {}", ended.stderr);
    }
}
