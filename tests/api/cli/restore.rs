//! `acclaim restore`

use std::{collections::BTreeMap, fs, os::unix::fs::symlink, path::Path};

use sea_orm::ConnectionTrait;

use super::{
    acclaim,
    archive::assert_refused,
    backup::{rows_of, start, stop},
};
use crate::harness::{Fixture, apply, sqlite_behaviour};

const NAMES: &str = "SELECT username FROM users ORDER BY id";

/// A database whose user is ada, and its copy `copy.db`.
async fn database_and_copy(fixture: &Fixture) {
    let running = start(fixture).await;
    running.service.user("ada").await;
    stop(running).await;
    let copied = acclaim(fixture, &["backup", "copy.db"]).await;
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
}

/// The files in `folder` and their content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).expect("no folder").map(|file| {
        let file = file.expect("no file");
        let name = file.file_name().into_string().expect("not UTF-8");
        (name, fs::read(file.path()).expect("not read"))
    });
    files.collect()
}

#[apply(sqlite_behaviour)]
async fn a_copy_replaces_the_database_and_the_old_one_is_kept(fixture: Fixture) {
    database_and_copy(&fixture).await;
    let folder = fixture.folder();
    for (number, name) in [(1, "grace"), (2, "eve")] {
        let running = start(&fixture).await;
        running.service.user(name).await;
        // The data are in the write-ahead log.
        running.signal("KILL");
        running.end().await;
        assert!(folder.join("test.db-wal").exists());
        let restored = acclaim(&fixture, &["restore", "copy.db"]).await;
        assert_eq!((restored.code, restored.stderr.as_str()), (Some(0), ""));
        let kept = folder.join(format!("test.db.old-{number}"));
        let shown = format!("the old database is `{}`\n", kept.display());
        assert!(restored.stdout.ends_with(&shown), "{}", restored.stdout);
        assert!(!folder.join("test.db-wal").exists());
        let database = fs::read(folder.join("test.db")).expect("no database");
        assert!(database == fs::read(folder.join("copy.db")).expect("no copy"));
        assert_eq!(rows_of(&kept, NAMES).await, ["ada", name]);
    }
    let running = start(&fixture).await;
    running.service.user("new").await;
    stop(running).await;
    assert_eq!(
        rows_of(&folder.join("test.db"), NAMES).await,
        ["ada", "new"]
    );
}

#[apply(sqlite_behaviour)]
async fn a_running_service_keeps_its_database(fixture: Fixture) {
    database_and_copy(&fixture).await;
    let running = start(&fixture).await;
    running.service.user("grace").await;
    let before = files(fixture.folder());
    let refused = acclaim(&fixture, &["restore", "copy.db"]).await;
    assert_refused(&refused, &["was not replaced", "stop the service first"]);
    let after = files(fixture.folder());
    assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
    running.service.user("eve").await;
    stop(running).await;
    let restored = acclaim(&fixture, &["restore", "copy.db"]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
}

#[apply(sqlite_behaviour)]
async fn a_transaction_of_another_program_keeps_the_database(fixture: Fixture) {
    use sea_orm::TransactionTrait;
    fixture.migrate().await;
    let copied = acclaim(&fixture, &["backup", "copy.db"]).await;
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    // Without a write-ahead log, an idle connection has no lock.
    let other = fixture
        .connect()
        .await
        .begin()
        .await
        .expect("no transaction");
    let read = "SELECT * FROM users";
    other.execute_unprepared(read).await.expect(read);
    other
        .execute_unprepared("UPDATE seaql_migrations SET applied_at = 0")
        .await
        .expect("no write");
    let refused = acclaim(&fixture, &["restore", "copy.db"]).await;
    assert_refused(&refused, &["was not replaced", "stop the service first"]);
    other.rollback().await.expect("no transaction");
}

#[apply(sqlite_behaviour)]
async fn a_copy_is_checked_first(fixture: Fixture) {
    database_and_copy(&fixture).await;
    let folder = fixture.folder();
    let sound = fs::read(folder.join("copy.db")).expect("no copy");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect(name);
    write(
        "text",
        b"not a database, but long enough for a header of one: 1234567890 1234567890 1234567890",
    );
    write("empty", b"");
    write("half", &sound[..sound.len() / 8192 * 4096]);
    let page = "SELECT rootpage FROM sqlite_master WHERE name = 'audit_log_subject_idx'";
    let page = rows_of(&folder.join("copy.db"), page).await;
    let end = 4096 * page[0].parse::<usize>().expect("no page");
    let mut damaged = sound.clone();
    damaged[end - 4096..end].fill(0xff);
    write("damaged", &damaged);
    write("with-log", &sound);
    write("with-log-wal", b"more");
    let change = async |name: &str, sql: &str| {
        write(name, &sound);
        let url = format!("sqlite://{}", folder.join(name).display());
        let connection = sea_orm::Database::connect(url).await.expect(name);
        connection.execute_unprepared(sql).await.expect(sql);
        connection.close().await.expect(name);
    };
    change(
        "newer",
        "INSERT INTO seaql_migrations VALUES ('m29991231_000000_later', 0)",
    )
    .await;
    change("other", "DROP TABLE seaql_migrations").await;
    let orphan =
        "PRAGMA foreign_keys = OFF; INSERT INTO votes VALUES (77, 77, '2026-11-21T06:00:42Z')";
    change("orphan", &format!("DROP TRIGGER votes_insert; {orphan}")).await;
    let before = files(folder);
    for (name, words) in [
        ("text", &["`text` is not a sound database"][..]),
        ("empty", &["`empty` is not a database of Acclaim"]),
        ("half", &["`half` is"]),
        ("damaged", &["`damaged` is"]),
        ("with-log", &["with-log-wal`", "`acclaim backup`"]),
        ("newer", &["m29991231_000000_later", "run a newer acclaim"]),
        ("other", &["`other` is not a database of Acclaim"]),
        ("orphan", &["2 rows refer to rows that do not exist"]),
        ("missing", &["cannot read `missing`"]),
    ] {
        let refused = acclaim(&fixture, &["restore", name]).await;
        assert_refused(&refused, words);
        assert!(files(folder) == before, "{name}");
    }
}

#[apply(sqlite_behaviour)]
async fn a_damaged_or_missing_database_is_replaced(fixture: Fixture) {
    database_and_copy(&fixture).await;
    let folder = fixture.folder();
    fs::write(folder.join("test.db"), "no database").expect("not written");
    let restored = acclaim(&fixture, &["restore", "copy.db"]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    let kept = fs::read_to_string(folder.join("test.db.old-1"));
    assert_eq!(kept.expect("not kept"), "no database");
    assert_eq!(rows_of(&folder.join("test.db"), NAMES).await, ["ada"]);
    // A log without its database.
    fs::remove_file(folder.join("test.db")).expect("not removed");
    fs::write(folder.join("test.db-wal"), "no log").expect("not written");
    let restored = acclaim(&fixture, &["restore", "copy.db"]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    assert_eq!(restored.stdout.lines().count(), 1, "{}", restored.stdout);
    let kept = fs::read_to_string(folder.join("test.db.old-2-wal"));
    assert_eq!(kept.expect("not kept"), "no log");
    assert_eq!(rows_of(&folder.join("test.db"), NAMES).await, ["ada"]);
}

/// A part of the data of a running service is in the write-ahead log, which is beside the file that a link
/// leads to.
#[apply(sqlite_behaviour)]
async fn a_file_without_all_its_data_is_refused(fixture: Fixture) {
    database_and_copy(&fixture).await;
    let folder = fixture.folder();
    fs::create_dir(folder.join("links")).expect("no folder");
    symlink("../test.db", folder.join("links/link.db")).expect("no link");
    let running = start(&fixture).await;
    running.service.user("grace").await;
    fs::write(folder.join("copy.db-journal"), "a change").expect("not written");
    for (file, part) in [
        ("test.db", "test.db-wal"),
        ("links/link.db", "test.db-wal"),
        ("copy.db", "copy.db-journal"),
    ] {
        let refused = acclaim(&fixture, &["restore", file]).await;
        assert_refused(&refused, &[part, "`acclaim backup`"]);
    }
    stop(running).await;
}

#[apply(sqlite_behaviour)]
async fn a_database_behind_a_link_is_replaced(fixture: Fixture) {
    database_and_copy(&fixture).await;
    let folder = fixture.folder();
    fs::create_dir(folder.join("data")).expect("no folder");
    let real = folder.join("data/real.db");
    fs::rename(folder.join("test.db"), &real).expect("not moved");
    symlink("data/real.db", folder.join("test.db")).expect("no link");
    let restored = acclaim(&fixture, &["restore", "copy.db"]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    let link = fs::symlink_metadata(folder.join("test.db")).expect("no link");
    assert!(link.is_symlink());
    assert_eq!(rows_of(&real, NAMES).await, ["ada"]);
    let kept = folder.join("data/real.db.old-1");
    assert_eq!(rows_of(&kept, NAMES).await, ["ada"]);
}

#[apply(sqlite_behaviour)]
async fn an_older_copy_is_migrated_by_the_service(fixture: Fixture) {
    database_and_copy(&fixture).await;
    let down = acclaim(&fixture, &["migrate", "down", "-n", "2"]).await;
    assert_eq!(down.code, Some(0), "{}", down.stderr);
    fs::copy(
        fixture.folder().join("test.db"),
        fixture.folder().join("older.db"),
    )
    .expect("no copy");
    let restored = acclaim(&fixture, &["restore", "older.db"]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    let pending = "2 migrations are pending; `acclaim serve` applies them\n";
    assert!(restored.stdout.ends_with(pending), "{}", restored.stdout);
    let running = start(&fixture).await;
    running.service.user("grace").await;
    stop(running).await;
}
