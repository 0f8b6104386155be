//! Several hosts in the URL of the database.

use acclaim::config::Origins;
use migration::{Command, Database};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::harness::{
    Fixture, apply, column, postgres::OwnServer, postgres_behaviour, process::run, wait_for,
};

/// The URL with `hosts` in the place of its host.
pub fn with_hosts(url: &str, hosts: &str) -> String {
    let (user, rest) = url.rsplit_once('@').expect("the URL has a user");
    let (_, path) = rest.split_once('/').expect("the URL has a database");
    format!("{user}@{hosts}/{path}")
}

pub fn host(url: &str) -> &str {
    let rest = url.rsplit('@').next().expect("the URL has a host");
    rest.split('/').next().expect("the URL has a host")
}

#[apply(postgres_behaviour)]
async fn a_host_that_cannot_be_reached_is_passed_over(fixture: Fixture) {
    fixture.migrate().await;
    let hosts = format!("127.0.0.1:1,{}", host(&fixture.url));
    let url = with_hosts(&fixture.url, &hosts);
    let attributes = format!("{url}?target_session_attrs=read-write");
    let database = Database::parse(&attributes).expect("not a URL");
    let service = fixture.start(fixture.state(&database).await, Origins::Any);
    let ada = service.user("ada").await;
    service.new_post(&ada, "Title").await;
    for (url, warns) in [(&url, true), (&attributes, false)] {
        let settings = [("DATABASE_URL", url.as_str())];
        let ended = run(fixture.folder(), &["doctor"], &settings).await;
        let warning = "append ?target_session_attrs=read-write";
        assert_eq!(ended.stdout.contains(warning), warns, "{}", ended.stdout);
        let status = run(fixture.folder(), &["migrate", "status"], &settings).await;
        assert_eq!(status.code, Some(0), "{}", status.stderr);
    }
    let nowhere = with_hosts(&fixture.url, "127.0.0.1:1,127.0.0.1:2");
    let settings = [("DATABASE_URL", nowhere.as_str())];
    let ended = run(fixture.folder(), &["migrate", "status"], &settings).await;
    for host in ["127.0.0.1:1: ", "127.0.0.1:2: "] {
        assert!(ended.stderr.contains(host), "{}", ended.stderr);
    }
}

/// A primary that becomes read-only is one that another server has replaced.
#[apply(postgres_behaviour)]
async fn writes_go_on_with_the_host_that_accepts_them(fixture: Fixture) {
    let (one, two) = (OwnServer::start().await, OwnServer::start().await);
    for url in [&one.url, &two.url] {
        let database = Database::parse(url).expect("not a URL");
        migration::run(&database, &Command::UP).await.expect(url);
    }
    let hosts = format!("{},{}", host(&one.url), host(&two.url));
    let url = with_hosts(&one.url, &hosts) + "?target_session_attrs=read-write";
    let database = Database::parse(&url).expect("not a URL");
    let service = fixture.start(fixture.state(&database).await, Origins::Any);
    service.user("ada").await;

    let first = sea_orm::Database::connect(&one.url)
        .await
        .expect("no connection");
    for sql in [
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "SELECT pg_reload_conf()",
    ] {
        first.execute_unprepared(sql).await.expect(sql);
    }
    wait_for(
        &first,
        "SELECT current_setting('default_transaction_read_only')",
        &["on"],
    )
    .await;
    let grace =
        json!({"username": "grace", "email": "grace@example.com", "password": "a horse of hers"});
    let mut refused = 0;
    loop {
        let answer = service
            .call("POST", "/users", None, Some(grace.clone()))
            .await;
        if answer.status == 201 {
            break;
        }
        answer.problem(503);
        assert!(answer.header("retry-after").is_some());
        refused += 1;
        assert!(refused < 100, "no write goes on");
    }
    let second = sea_orm::Database::connect(&two.url)
        .await
        .expect("no connection");
    let names = "SELECT username FROM users";
    assert_eq!(column(&second, names).await, ["grace"]);
    assert_eq!(column(&first, names).await, ["ada"]);
    for connection in [first, second] {
        connection.close().await.expect("not closed");
    }
}
