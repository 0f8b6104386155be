//! `acclaim doctor` and the database.

use std::fs;

use sea_orm::ConnectionTrait;

use super::{SECRET, assert_line, doctor, set_mode};
use crate::harness::{
    Fixture, apply, behaviour, column, postgres_behaviour,
    process::{Running, run},
    sqlite_behaviour,
};

#[apply(behaviour)]
async fn pending_migrations_are_reported(fixture: Fixture) {
    let url = [("DATABASE_URL", fixture.url.as_str())];
    let one = run(fixture.folder(), &["migrate", "up", "-n", "1"], &url).await;
    assert_eq!(one.code, Some(0), "{}", one.stderr);
    let ended = doctor(&fixture, &[SECRET, ("AUTO_MIGRATE", "true")]).await;
    assert_line(
        &ended,
        "warning",
        "migrations",
        &["pending", "`acclaim serve`"],
    );
    let ended = doctor(&fixture, &[SECRET]).await;
    if fixture.is_postgres() {
        assert_line(
            &ended,
            "fault",
            "migrations",
            &["pending", "`acclaim migrate up`"],
        );
    } else {
        assert_line(
            &ended,
            "warning",
            "migrations",
            &["pending", "`acclaim serve`"],
        );
    }
}

#[apply(behaviour)]
async fn a_newer_database_is_a_fault(fixture: Fixture) {
    fixture.migrate().await;
    let later = "INSERT INTO seaql_migrations VALUES ('m29991231_000000_later', 0)";
    let connection = fixture.connect().await;
    connection.execute_unprepared(later).await.expect(later);
    let ended = doctor(&fixture, &[SECRET]).await;
    assert_line(
        &ended,
        "fault",
        "migrations",
        &["m29991231_000000_later", "run a newer acclaim"],
    );
}

#[apply(behaviour)]
async fn an_unreachable_database_is_a_fault(fixture: Fixture) {
    let url = if fixture.is_postgres() {
        "postgres://ada:hidden@127.0.0.1:1/x".to_owned()
    } else {
        // SQLite cannot open a directory, whatever the permissions.
        format!("sqlite://{}", fixture.folder().display())
    };
    let ended = doctor(&fixture, &[SECRET, ("DATABASE_URL", &url)]).await;
    assert_line(&ended, "fault", "database", &["DATABASE_URL is correct"]);
    assert!(!ended.stdout.contains("hidden"), "{}", ended.stdout);
}

#[apply(sqlite_behaviour)]
async fn sqlite_files_are_checked(fixture: Fixture) {
    let ended = doctor(&fixture, &[SECRET]).await;
    assert_line(
        &ended,
        "warning",
        "database",
        &["does not exist yet", "`acclaim serve`"],
    );
    let file = fixture.folder().join("test.db");
    assert!(!file.exists(), "the doctor created the file");
    let nowhere = format!("sqlite://{}/none/test.db", fixture.folder().display());
    let ended = doctor(&fixture, &[SECRET, ("DATABASE_URL", &nowhere)]).await;
    assert_line(&ended, "fault", "folder", &["is not writable", "create it"]);
    fixture.migrate().await;
    set_mode(&file, 0o644);
    let ended = doctor(&fixture, &[SECRET]).await;
    assert_line(&ended, "warning", "file", &["mode 644", "run `chmod 600"]);
    assert_line(&ended, "warning", "WAL", &["`acclaim serve` enables it"]);
    set_mode(&file, 0o606);
    assert_line(
        &doctor(&fixture, &[SECRET]).await,
        "fault",
        "file",
        &["mode 606"],
    );
    // Damage an index page. Without the schema pages, no query would run at all.
    let page = "SELECT rootpage FROM sqlite_master WHERE name = 'audit_log_subject_idx'";
    let page = column(&fixture.connect().await, page).await;
    let end = 4096 * page[0].parse::<usize>().expect("no page");
    let mut bytes = fs::read(&file).expect("not read");
    bytes[end - 4096..end].fill(0xff);
    fs::write(&file, bytes).expect("not written");
    let ended = doctor(&fixture, &[SECRET]).await;
    assert_line(&ended, "fault", "quick_check", &["restore a backup"]);
}

#[apply(postgres_behaviour)]
async fn the_role_of_postgresql_is_checked(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let superuser = "SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user";
    let superuser = column(&connection, superuser).await == ["true"];
    let ended = doctor(&fixture, &[SECRET]).await;
    if !superuser {
        // Only a superuser can create the role for this test.
        return assert_line(&ended, "ok", "role", &[]);
    }
    let remedy = ["superuser", "`CREATE ROLE acclaim"];
    assert_line(&ended, "warning", "role", &remedy);
    // The privileges that docs/security.md lists for the service.
    let name = column(&connection, "SELECT current_database()::text").await;
    let name = &name[0];
    let create_role = format!(
        "CREATE ROLE {name} LOGIN NOSUPERUSER PASSWORD 'hidden'; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
    );
    connection
        .execute_unprepared(&create_role)
        .await
        .expect(&create_role);
    let mut url = url::Url::parse(&fixture.url).expect("no URL");
    url.set_username(name).expect("no user");
    url.set_password(Some("hidden")).expect("no password");
    let url = [("DATABASE_URL", url.as_str()), SECRET];
    let ended = doctor(&fixture, &url).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert_line(&ended, "ok", "role", &[]);
    let running = Running::start(fixture.folder(), &url).await;
    let user = running.service.user("ada").await;
    let post = running.service.new_post(&user, "Title").await;
    for method in ["PUT", "DELETE"] {
        let vote = format!("/posts/{post}/vote");
        let answer = running.service.call(method, &vote, Some(&user), None).await;
        answer.expect(200);
    }
    running.signal("TERM");
    running.end().await;
    let drop = format!("DROP OWNED BY {name}; DROP ROLE {name}");
    connection.execute_unprepared(&drop).await.expect(&drop);
}

#[apply(postgres_behaviour)]
async fn the_connections_of_postgresql_are_compared(fixture: Fixture) {
    fixture.migrate().await;
    let offered = "SELECT current_setting('max_connections')::bigint \
                   - current_setting('superuser_reserved_connections')::bigint";
    let offered = column(&fixture.connect().await, offered).await;
    let offered: usize = offered[0].parse().expect("not a number");
    for (wanted, level, words) in [
        (offered / 2, "ok", "enough for 2 servers"),
        (offered, "warning", "enough for 1 server"),
        (offered + 1, "fault", "raise max_connections"),
    ] {
        let wanted = wanted.to_string();
        let ended = doctor(&fixture, &[SECRET, ("DATABASE_CONNECTIONS", &wanted)]).await;
        assert_line(&ended, level, "connections", &[&wanted, words]);
    }
}
