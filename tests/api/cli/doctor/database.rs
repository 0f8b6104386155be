//! `acclaim doctor` and the database.

use std::fs;

use sea_orm::ConnectionTrait;

use super::{SECRET, assert_line, doctor, set_mode};
use crate::harness::{
    Fixture, apply, behaviour, column, postgres_behaviour, process::run, sqlite_behaviour,
};

#[apply(behaviour)]
async fn pending_migrations_are_reported(fixture: Fixture) {
    let url = [("DATABASE_URL", fixture.owner_url.as_str())];
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
    let serve = fixture.separate_role();
    assert_line(&doctor(&fixture, &[SECRET]).await, "ok", "role", &[]);
    let connection = fixture.connect().await;
    let change = async |sql: &str, level: &str, parts: &[&str]| {
        connection.execute_unprepared(sql).await.expect(sql);
        let ended = doctor(&fixture, &[SECRET]).await;
        assert_line(&ended, level, "role", parts);
    };
    let remedy = "`acclaim migrate grants";
    let owner = "SELECT current_user::text";
    let owner = column(&connection, owner).await.remove(0);
    let to_public = "GRANT UPDATE (reason) ON audit_log TO PUBLIC";
    change(
        to_public,
        "warning",
        &["also has UPDATE on audit_log", remedy],
    )
    .await;
    let lacking = format!("REVOKE DELETE ON votes FROM {serve}");
    change(&lacking, "fault", &["lacks DELETE on votes", remedy]).await;
    // A pooler keeps connections that have the settings of before.
    if !fixture.is_pooled() {
        let hidden = format!("ALTER ROLE {serve} SET search_path = 'nowhere'");
        connection.execute_unprepared(&hidden).await.expect(&hidden);
        let ended = doctor(&fixture, &[SECRET]).await;
        assert_line(&ended, "fault", "migrations", &["pending"]);
        let shown = format!("ALTER ROLE {serve} RESET search_path");
        change(&shown, "fault", &["lacks DELETE on votes"]).await;
    }
    let owning = format!("ALTER TABLE posts OWNER TO {serve}");
    change(&owning, "warning", &["owns the tables", remedy]).await;
    let back = format!("ALTER TABLE posts OWNER TO {owner}");
    change(&back, "fault", &["lacks ", "DELETE on votes"]).await;
    let superuser = "SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user";
    if column(&connection, superuser).await == ["true"] {
        let url = ("DATABASE_URL", fixture.owner_url.as_str());
        let warned = doctor(&fixture, &[SECRET, url]).await;
        assert_line(&warned, "warning", "role", &["superuser", remedy]);
    }
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
