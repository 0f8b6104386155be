//! The files of an export.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};

use sea_orm::{ConnectionTrait, TransactionTrait};
use tokio::io::AsyncReadExt;

use super::{export, file, forget_events, imported, refusals::assert_refused};
use crate::{
    cli,
    harness::{
        Fixture, apply, behaviour, column, insert_posts,
        process::{acclaim, run_with, signal},
    },
};

#[apply(behaviour)]
async fn a_file_is_private_and_never_overwritten(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let content = export(&fixture, "a.ndjson").await;
    let mode = fs::metadata(file(&fixture, "a.ndjson")).expect("no file");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    service.user("grace").await;
    let again = cli::as_owner(&fixture, &["export", "a.ndjson"]).await;
    assert_refused(&again, &["`a.ndjson` exists already"]);
    let same = fs::read_to_string(file(&fixture, "a.ndjson")).expect("no file");
    assert_eq!(same, content);
    let nowhere = cli::as_owner(&fixture, &["export", "no/such/folder"]).await;
    assert_refused(&nowhere, &["cannot create `no/such/folder`"]);
}

#[apply(behaviour)]
async fn a_file_can_be_compressed_or_a_pipe(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    insert_posts(&fixture.connect().await, ada.id, 100, "Some words").await;
    forget_events(&fixture).await;
    let plain = export(&fixture, "a.ndjson").await;
    for name in ["a.ndjson.zst", "b.zst"] {
        let ended = cli::as_owner(&fixture, &["export", name]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        // No control characters: the standard error is not a terminal.
        let line = ended.stderr.trim_end();
        assert!(line.starts_with("exported 101 rows ("), "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    let bytes = fs::read(file(&fixture, "b.zst")).expect("no file");
    assert!(bytes.len() < plain.len() / 4);
    assert_eq!(
        fs::read(file(&fixture, "a.ndjson.zst")).expect("no file"),
        bytes
    );
    let piped = cli::as_owner(&fixture, &["export", "-"]).await;
    assert_eq!(piped.stdout, plain);
    let [one, other] = [
        Fixture::new(fixture.kind.clone()).await,
        Fixture::new(fixture.kind.clone()).await,
    ];
    one.migrate().await;
    other.migrate().await;
    let url = [("DATABASE_URL", one.owner_url.as_str())];
    let imported = run_with(fixture.folder(), &["import", "b.zst"], &url, "").await;
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    assert!(
        imported.stderr.starts_with("imported 101 rows ("),
        "{}",
        imported.stderr
    );
    let url = [("DATABASE_URL", other.owner_url.as_str())];
    let imported = run_with(fixture.folder(), &["import", "-"], &url, &plain).await;
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    for copy in [one, other] {
        assert_eq!(export(&copy, "c.ndjson").await, plain);
        copy.end().await;
    }
}

/// The service writes meanwhile.
#[apply(behaviour)]
async fn an_export_is_a_snapshot(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let connection = fixture.connect().await;
    insert_posts(&connection, ada.id, 100, &"x".repeat(40_000)).await;
    let settings = [("DATABASE_URL", fixture.owner_url.as_str())];
    let mut process = acclaim(fixture.folder(), &["export", "-"], &settings)
        .spawn()
        .expect("acclaim did not start");
    let mut output = process.stdout.take().expect("no stdout");
    let mut start = [0];
    // The posts are being read, and the pipe does not hold all of them.
    output.read_exact(&mut start).await.expect("no output");
    let post = column(&connection, "SELECT min(id) FROM posts").await;
    let vote = format!("/posts/{}/vote", post[0]);
    let vote = service.call("PUT", &vote, Some(&ada), None).await;
    vote.expect(200);
    service.new_post(&ada, "Later").await;
    service.user("grace").await;
    let mut rest = String::from("{");
    output.read_to_string(&mut rest).await.expect("no output");
    let status = process.wait().await.expect("cannot wait for acclaim");
    assert_eq!(status.code(), Some(0));
    assert!(!rest.contains("Later") && !rest.contains("grace"));
    let target = Fixture::new(fixture.kind.clone()).await;
    target.migrate().await;
    imported(&target, &rest).await;
    target.end().await;
}

#[apply(behaviour)]
async fn a_signal_ends_an_export_to_a_full_pipe(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    // More than a pipe holds.
    let connection = fixture.connect().await;
    insert_posts(&connection, ada.id, 1_000, "Some words of a post").await;
    let settings = [("DATABASE_URL", fixture.owner_url.as_str())];
    let mut process = acclaim(fixture.folder(), &["export", "-"], &settings)
        .stdin(Stdio::null())
        .spawn()
        .expect("acclaim did not start");
    let output = process.stdout.as_mut().expect("no stdout");
    output.read_u8().await.expect("no output");
    signal(process.id().expect("acclaim has ended"), "TERM");
    let status = process.wait().await.expect("cannot wait for acclaim");
    assert_eq!(status.code(), None);
}

#[apply(behaviour)]
async fn an_interrupted_export_leaves_no_file(fixture: Fixture) {
    fixture.migrate().await;
    // Keeps the export waiting.
    let lock = if fixture.is_postgres() {
        "LOCK TABLE users IN ACCESS EXCLUSIVE MODE"
    } else {
        "COMMIT; BEGIN EXCLUSIVE"
    };
    let other = fixture
        .connect()
        .await
        .begin()
        .await
        .expect("no transaction");
    other.execute_unprepared(lock).await.expect("no lock");
    let settings = [("DATABASE_URL", fixture.owner_url.as_str())];
    let process = acclaim(fixture.folder(), &["export", "a.ndjson"], &settings)
        .stdin(Stdio::null())
        .spawn()
        .expect("acclaim did not start");
    let files = || {
        let names = fs::read_dir(fixture.folder()).expect("no folder");
        let names = names.map(|it| it.expect("no file").file_name().into_string());
        let names = names.map(|it| it.expect("not UTF-8"));
        names.filter(|it| it.contains("ndjson")).collect::<Vec<_>>()
    };
    while files().is_empty() {
        tokio::task::yield_now().await;
    }
    signal(process.id().expect("acclaim has ended"), "TERM");
    let ended = process
        .wait_with_output()
        .await
        .expect("cannot wait")
        .into();
    assert_refused(&ended, &["interrupted"]);
    assert_eq!(files(), [""; 0]);
    other.rollback().await.expect("no transaction");
}
