//! The files of an SQLite database: copies, modes, deleted text and the write-ahead log.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    pin::pin,
};

use acclaim::{
    db::Db,
    error::Error,
    services::{
        export::{Exports, Part, read},
        posts::forget_deleted_words,
        statistics::{Backlog, fold},
    },
};
use entity::values::UserId;
use futures_util::future::{join, poll_immediate};
use migration::Database;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;

use crate::harness::{
    Fixture, apply, behaviour, column, insert_posts,
    process::Running,
    service::{PASSWORD, Service, User},
    sqlite_behaviour,
};

/// A read of a table that never ends.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT count(*) FROM users UNION ALL \
                       SELECT i + 1 FROM n) SELECT max(i) FROM n";

fn wal(fixture: &Fixture) -> PathBuf {
    fixture.folder().join("test.db-wal")
}

async fn start(folder: &Path, url: &str) -> Running {
    let settings = [("DATABASE_URL", url), ("AUTO_MIGRATE", "true")];
    Running::start(folder, &settings).await
}

async fn stop(running: Running) {
    running.signal("TERM");
    let (code, log) = running.end().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

#[apply(sqlite_behaviour)]
async fn after_a_stop_the_database_file_alone_is_a_complete_copy(fixture: Fixture) {
    let running = start(fixture.folder(), &fixture.url).await;
    let ada = running.service.user("ada").await;
    running.service.new_post(&ada, "Kept").await;
    // Otherwise SQLite may empty the log when the last connection closes.
    let other = fixture.connect().await;
    assert_eq!(column(&other, "SELECT title FROM posts").await, ["Kept"]);
    stop(running).await;
    let copy = fixture.folder().join("copy.db");
    fs::copy(fixture.folder().join("test.db"), &copy).unwrap();
    let copy = format!("sqlite://{}", copy.display());
    let copy = sea_orm::Database::connect(&copy).await.unwrap();
    assert_eq!(column(&copy, "SELECT title FROM posts").await, ["Kept"]);
}

#[apply(sqlite_behaviour)]
async fn a_stop_says_that_another_program_keeps_the_log(fixture: Fixture) {
    use sea_orm::TransactionTrait;
    let running = start(fixture.folder(), &fixture.url).await;
    running.service.user("ada").await;
    let read = fixture.connect().await.begin().await.unwrap();
    let users = Statement::from_string(read.get_database_backend(), "SELECT * FROM users");
    read.query_all_raw(users).await.unwrap();
    running.service.user("bob").await;
    running.signal("TERM");
    let (code, log) = running.end().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("another program reads the database"), "{log}");
}

#[apply(sqlite_behaviour)]
async fn only_the_owner_can_read_the_database_files(fixture: Fixture) {
    let running = start(fixture.folder(), &fixture.url).await;
    running.service.user("ada").await;
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        let file = fs::metadata(fixture.folder().join(name)).expect(name);
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    stop(running).await;
}

#[apply(sqlite_behaviour)]
async fn deleted_text_is_not_in_the_file(fixture: Fixture) {
    let running = start(fixture.folder(), &fixture.url).await;
    let service = &running.service;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    // Long enough for pages of its own, which become free.
    let long = "lavender ".repeat(2000);
    let post = async |user: &User, title: &str, content: &str| {
        let body = json!({"title": title, "content": content, "tags": [title.to_lowercase()]});
        let post = service.post("/posts", user, body).await.expect(201).json();
        format!("/posts/{}", post["id"])
    };
    let first = post(&ada, "Zanzibar", &format!("Marmalade {long}")).await;
    let second = post(&ada, "Cucumber", "Tambourine").await;
    post(&bob, "Kaleidoscope", &format!("Rhododendron {long}")).await;
    post(&ada, "Staying", "Staying").await;
    let changed = json!({"title": "Staying", "content": "Changed"});
    let answer = service
        .call("PUT", &second, Some(&ada), Some(changed))
        .await;
    answer.expect(200);
    service
        .call("DELETE", &first, Some(&ada), None)
        .await
        .expect(204);
    let confirmation = json!({"current_password": PASSWORD});
    let answer = service
        .call("DELETE", "/users/me", Some(&bob), Some(confirmation))
        .await;
    answer.expect(204);
    gone(service, "bob").await;
    stop(running).await;
    let db = Db::open(&fixture.database()).await.unwrap();
    // The number of posts of each tag is a second late.
    while fold(&db).await.unwrap().backlog != Backlog::Empty {}
    // What a job does once in 12 hours.
    forget_deleted_words(&db).await.unwrap();
    db.overwrite_free_pages().await.unwrap();
    db.close().await.unwrap();
    assert!(!wal(&fixture).exists());
    let bytes = fs::read(fixture.folder().join("test.db")).unwrap();
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    assert!(text.contains("staying"));
    // The ends of the words: an index stores the beginning of a word once for similar words.
    for part in [
        "anzibar",
        "armalade",
        "ucumber",
        "ambourine",
        "avender",
        "aleidoscope",
        "hododendron",
        "bob@example.com",
    ] {
        assert!(!text.contains(part), "{part}");
    }
}

/// Waits until the account `name` is removed.
async fn gone(service: &Service, name: &str) {
    let body =
        json!({"email": format!("{name}@example.org"), "username": name, "password": PASSWORD});
    loop {
        let answer = service
            .call("POST", "/users", None, Some(body.clone()))
            .await;
        if answer.status == 201 {
            return;
        }
        answer.problem(409);
    }
}

#[apply(sqlite_behaviour)]
async fn a_slow_read_does_not_keep_the_log_growing(fixture: Fixture) {
    fixture.migrate().await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let mut log = db.write_ahead_log().unwrap();
    let backend = db.read().get_database_backend();
    let run = async |sql: &str| -> Result<usize, Error> {
        let statement = Statement::from_string(backend, sql);
        Ok(db.read().query_all_raw(statement).await?.len())
    };
    let mut slow = pin!(run(ENDLESS));
    assert!(poll_immediate(&mut slow).await.is_none());
    // The read has begun once it blocks a checkpoint, which the writes below try.
    run("SELECT 1").await.unwrap();
    let filler = |sql: &'static str| {
        let db = &db;
        async move {
            let write = db
                .write(|transaction| async move { Ok(transaction.execute_unprepared(sql).await?) });
            write.await.unwrap();
        }
    };
    filler("CREATE TABLE filler (bytes)").await;
    let size = || fs::metadata(wal(&fixture)).map_or(0, |file| file.len());
    while size() <= 64 * 1024 * 1024 {
        filler("INSERT INTO filler VALUES (randomblob(8000000))").await;
        assert!(poll_immediate(&mut slow).await.is_none());
    }
    log.checkpoint_if_due().await;
    assert_eq!(size(), 0);
    assert!(matches!(slow.await, Err(Error::TooSlow(_))));
    assert_eq!(run("SELECT 1").await.unwrap(), 1);
}

/// Writes to the log of `db` until it is too large.
async fn fill_log(fixture: &Fixture, db: &Db) {
    let write = async |sql: &str| {
        let write =
            db.write(|transaction| async move { Ok(transaction.execute_unprepared(sql).await?) });
        write.await.unwrap();
    };
    write("CREATE TABLE filler (bytes)").await;
    while log_size(fixture) <= 64 * 1024 * 1024 {
        write("INSERT INTO filler VALUES (randomblob(8000000))").await;
    }
}

fn log_size(fixture: &Fixture) -> u64 {
    fs::metadata(wal(fixture)).map_or(0, |file| file.len())
}

/// Creates a user with several pages of posts. No job runs.
async fn user_with_posts(fixture: &Fixture) -> UserId {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    fixture.stop_jobs().await;
    insert_posts(&fixture.connect().await, ada.id, 100, "Content").await;
    UserId::parse(ada.id).unwrap()
}

/// The client reads nothing, so no statement of the export runs.
#[apply(sqlite_behaviour)]
async fn an_export_does_not_keep_the_log_growing(fixture: Fixture) {
    let ada = user_with_posts(&fixture).await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let exports = Exports::default();
    let mut export = exports.start(ada).unwrap();
    let mut reading = Box::pin(read(&db, exports.next().await.unwrap()));
    let part = tokio::select! {
        () = &mut reading => panic!("the export ended"),
        part = export.next() => part,
    };
    assert!(matches!(part, Ok(Part::User(_))));
    // The export waits for its client while the others write.
    let writes = async {
        fill_log(&fixture, &db).await;
        db.write_ahead_log().unwrap().checkpoint_if_due().await;
    };
    join(reading, writes).await;
    assert_eq!(log_size(&fixture), 0);
    let rest = [export.next().await, export.next().await];
    assert!(rest.iter().any(Result::is_err), "{rest:?}");
    // The next one runs as usual.
    let mut export = exports.start(ada).unwrap();
    let reading = read(&db, exports.next().await.unwrap());
    let all = async { while !matches!(export.next().await.unwrap(), Part::End) {} };
    join(reading, all).await;
}

#[apply(sqlite_behaviour)]
async fn exports_and_erasure_wait_for_a_full_log(fixture: Fixture) {
    use sea_orm::TransactionTrait;
    let ada = user_with_posts(&fixture).await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let other = fixture.connect().await;
    let another_program = fixture.connect().await.begin().await.unwrap();
    let users = Statement::from_string(other.get_database_backend(), "SELECT * FROM users");
    another_program.query_all_raw(users).await.unwrap();
    fill_log(&fixture, &db).await;
    db.write_ahead_log().unwrap().checkpoint_if_due().await;
    assert!(log_size(&fixture) > 0);
    let exports = Exports::default();
    let start = async || {
        let mut export = exports.start(ada).unwrap();
        let mut reading = Box::pin(read(&db, exports.next().await.unwrap()));
        tokio::select! {
            () = &mut reading => {}
            part = export.next() => return part,
        }
        export.next().await
    };
    assert!(matches!(start().await, Err(Error::TooManyExports)));
    let mut erasure = pin!(db.overwrite_free_pages());
    let tables = "SELECT name FROM sqlite_master WHERE name = 'overwritten_pages'";
    for _ in 0..20 {
        tokio::select! {
            biased;
            _ = &mut erasure => panic!("it did not wait"),
            // It would run after the first write of the erasure.
            written = db.write(|_| async { Ok(()) }) => written.unwrap(),
        }
    }
    assert!(column(&other, tables).await.is_empty());
    another_program.rollback().await.unwrap();
    db.write_ahead_log().unwrap().checkpoint_if_due().await;
    assert_eq!(log_size(&fixture), 0);
    assert!(start().await.is_ok());
    erasure.await.unwrap();
}

#[apply(sqlite_behaviour)]
async fn one_process_at_a_time_overwrites_free_pages(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    for sql in [
        "CREATE TABLE filler (bytes)",
        "INSERT INTO filler VALUES (randomblob(8000000))",
        "DELETE FROM filler",
    ] {
        connection.execute_unprepared(sql).await.unwrap();
    }
    let database = fixture.database();
    let (one, another) = (Db::open(&database).await, Db::open(&database).await);
    let (one, another) = (one.unwrap(), another.unwrap());
    let mut first = pin!(one.overwrite_free_pages());
    let begun = async {
        let tables = "SELECT name FROM sqlite_master WHERE name = 'overwritten_pages'";
        while column(&connection, tables).await.is_empty() {}
    };
    tokio::select! {
        _ = &mut first => panic!("it did not begin"),
        () = begun => {}
    }
    tokio::select! {
        _ = &mut first => panic!("it did not reserve the work"),
        second = another.overwrite_free_pages() => second.unwrap(),
    }
    first.await.unwrap();
    let tables = "SELECT count(*) FROM sqlite_master WHERE name = 'overwritten_pages'";
    assert_eq!(column(&connection, tables).await, ["0"]);
}

/// SQLite reports a full disk itself. On PostgreSQL a trigger reports what a server with a full disk
/// reports.
#[apply(behaviour)]
async fn a_full_disk_is_insufficient_storage(fixture: Fixture) {
    fixture.migrate().await;
    let database = match fixture.database() {
        Database::Sqlite(options) => {
            Database::Sqlite(options.pragma("max_page_count", "200").into())
        }
        postgres @ Database::Postgres(_) => {
            let full = "CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                        IF NEW.title <> 'Fits' THEN RAISE SQLSTATE '53100'; END IF; RETURN NEW; \
                        END $$; \
                        CREATE TRIGGER disk_full BEFORE INSERT ON posts FOR EACH ROW \
                        EXECUTE FUNCTION disk_full()";
            fixture
                .connect()
                .await
                .execute_unprepared(full)
                .await
                .unwrap();
            postgres
        }
    };
    let state = fixture.state(&database).await;
    let service = fixture.start(state, acclaim::config::Origins::Any);
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Fits").await;
    let large = json!({"title": "Large", "content": "word ".repeat(8000)});
    let full = loop {
        let answer = service.post("/posts", &ada, large.clone()).await;
        if answer.status != 201 {
            break answer;
        }
    };
    assert_eq!(full.problem(507)["type"], "/problems/insufficient-storage");
    service.get(&format!("/posts/{id}"), &ada).await.expect(200);
}
