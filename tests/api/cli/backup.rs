//! `acclaim backup`

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::future::join;

use super::{acclaim, archive::assert_refused};
use crate::harness::{
    Fixture, apply, column, insert_posts, postgres_behaviour,
    process::{self, Ended, Running},
    sqlite_behaviour,
};

pub async fn start(fixture: &Fixture) -> Running {
    let settings = [("DATABASE_URL", fixture.url.as_str())];
    Running::start(fixture.folder(), &settings).await
}

pub async fn stop(running: Running) {
    running.signal("TERM");
    let (code, log) = running.end().await;
    assert_eq!(code, Some(0), "{log}");
}

/// The first column of the rows of `sql` in the SQLite file `file`.
pub async fn rows_of(file: &Path, sql: &str) -> Vec<String> {
    let url = format!("sqlite://{}", file.display());
    let connection = sea_orm::Database::connect(url).await.expect("no database");
    let rows = column(&connection, sql).await;
    connection.close().await.expect("not closed");
    rows
}

/// The files whose name has the name of the copy.
fn copies(fixture: &Fixture) -> Vec<String> {
    let names = fs::read_dir(fixture.folder()).expect("no folder");
    let names = names.map(|it| it.expect("no file").file_name().into_string());
    let names = names.map(|it| it.expect("not UTF-8"));
    names.filter(|it| it.contains("copy")).collect()
}

#[apply(sqlite_behaviour)]
async fn a_backup_of_a_running_service_is_complete(fixture: Fixture) {
    let running = start(&fixture).await;
    let service = &running.service;
    let ada = service.user("ada").await;
    let content = "x".repeat(40_000);
    insert_posts(&fixture.connect().await, ada.id, 200, &content).await;
    service.new_post(&ada, "Before").await;
    let ended = AtomicBool::new(false);
    let writing = async {
        let mut writes = 0;
        while !ended.load(Ordering::Relaxed) {
            let post = service.new_post(&ada, "Title").await;
            let vote = format!("/posts/{post}/vote");
            service
                .call("PUT", &vote, Some(&ada), None)
                .await
                .expect(200);
            writes += 1;
        }
        writes
    };
    let copying = async {
        let copied = acclaim(&fixture, &["backup", "copy.db"]).await;
        ended.store(true, Ordering::Relaxed);
        copied
    };
    let (writes, copied) = join(writing, copying).await;
    assert!(writes > 0);
    assert_eq!((copied.code, copied.stderr.as_str()), (Some(0), ""));
    assert!(copied.stdout.contains("to `copy.db`"), "{}", copied.stdout);
    let copy = fixture.folder().join("copy.db");
    let mode = fs::metadata(&copy).expect("no copy").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = "SELECT count(*) FROM posts WHERE title = 'Before'";
    assert_eq!(rows_of(&copy, before).await, ["1"]);
    // The state at one moment: no vote without its post, no gap.
    let gaps = "SELECT max(id) - count(*) FROM posts";
    assert_eq!(rows_of(&copy, gaps).await, ["0"]);
    let counts = "SELECT sum(votes) - (SELECT count(*) FROM votes) FROM posts";
    assert_eq!(rows_of(&copy, counts).await, ["0"]);
    let again = acclaim(&fixture, &["backup", "copy.db"]).await;
    assert_refused(&again, &["`copy.db` exists already"]);
    assert_eq!(copies(&fixture), ["copy.db"]);
    stop(running).await;
}

#[apply(sqlite_behaviour)]
async fn an_interrupted_backup_leaves_no_file(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let content = "some words ".repeat(3_000);
    insert_posts(&fixture.connect().await, ada.id, 500, &content).await;
    let settings = [("DATABASE_URL", fixture.url.as_str())];
    let mut process = process::acclaim(fixture.folder(), &["backup", "copy.db"], &settings)
        .spawn()
        .expect("acclaim did not start");
    // SQLite has a journal beside the copy while it writes.
    while copies(&fixture).len() < 2 && process.try_wait().expect("cannot wait").is_none() {
        tokio::task::yield_now().await;
    }
    // The backup may end before.
    if let Some(id) = process.id() {
        process::signal(id, "TERM");
    }
    let ended: Ended = process
        .wait_with_output()
        .await
        .expect("cannot wait")
        .into();
    if ended.code == Some(0) {
        assert_eq!(copies(&fixture), ["copy.db"]);
    } else {
        assert_refused(&ended, &["interrupted"]);
        assert_eq!(copies(&fixture), [""; 0]);
    }
}

#[apply(sqlite_behaviour)]
async fn a_damaged_database_is_not_backed_up(fixture: Fixture) {
    let missing = acclaim(&fixture, &["backup", "copy.db"]).await;
    assert_refused(&missing, &["does not exist"]);
    fs::write(fixture.folder().join("test.db"), "no database").expect("not written");
    let foreign = acclaim(&fixture, &["backup", "copy.db"]).await;
    assert_refused(&foreign, &["cannot be copied"]);
    assert!(!fixture.folder().join("copy.db").exists());
}

#[apply(postgres_behaviour)]
async fn postgresql_has_its_own_programs(fixture: Fixture) {
    fixture.migrate().await;
    for (command, program) in [("backup", "`pg_dump"), ("restore", "`pg_restore`")] {
        let refused = acclaim(&fixture, &[command, "copy.db"]).await;
        assert_refused(&refused, &[program]);
    }
}
