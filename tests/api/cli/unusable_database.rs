//! Databases that `acclaim` cannot use.

use sea_orm::ConnectionTrait;

use crate::harness::{Fixture, apply, behaviour, process::run};

#[apply(behaviour)]
async fn a_newer_database_is_refused(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let later = "INSERT INTO seaql_migrations VALUES ('m29991231_000000_later', 0)";
    connection.execute_unprepared(later).await.expect(later);
    for arguments in [&["migrate", "up"][..], &["migrate", "status"], &["serve"]] {
        let ended = run(
            fixture.folder(),
            arguments,
            &[("DATABASE_URL", &fixture.url), ("PORT", "0")],
        )
        .await;
        assert_eq!(ended.code, Some(2));
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(
            last.contains("newer than this program") && last.contains("m29991231_000000_later"),
            "{last}"
        );
    }
}

/// During a rolling deploy a newer version migrates the database while older servers run.
#[apply(behaviour)]
async fn a_running_server_stays_ready_on_a_newer_database(fixture: Fixture) {
    let service = fixture.serve().await;
    let connection = fixture.connect().await;
    let later = "INSERT INTO seaql_migrations VALUES ('m29991231_000000_later', 0)";
    connection.execute_unprepared(later).await.expect(later);
    let ready = async || service.call("GET", "/health/ready", None, None).await;
    ready().await.expect(200);
    let fewer = "DELETE FROM seaql_migrations WHERE version LIKE '%_create_votes'";
    connection.execute_unprepared(fewer).await.expect(fewer);
    // The answer may be up to a second old.
    while ready().await.status == 200 {}
    assert!(
        ready().await.problem(503)["detail"]
            .as_str()
            .unwrap()
            .contains("pending")
    );
}

#[apply(behaviour)]
async fn an_unreachable_database_is_reported_in_one_line(fixture: Fixture) {
    let (unknown, refused) = if fixture.is_postgres() {
        let mut url = url::Url::parse(&fixture.owner_url).unwrap();
        url.set_path("/no_such_database");
        (
            url.to_string(),
            "postgres://ada:hidden@127.0.0.1:1/x".to_owned(),
        )
    } else {
        let none = fixture.folder().join("no/such/folder.db");
        (
            fixture.url.replace("test.db", "none.db"),
            format!("sqlite://{}", none.display()),
        )
    };
    for (url, message) in [(unknown, "does not exist"), (refused, "refused")] {
        let message = if fixture.is_postgres() {
            message
        } else {
            "does not exist"
        };
        let ended = run(
            fixture.folder(),
            &["migrate", "status"],
            &[("DATABASE_URL", &url)],
        )
        .await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
        assert!(
            ended.stderr.starts_with("acclaim: ") && !ended.stderr.contains("hidden"),
            "{}",
            ended.stderr
        );
    }
}
