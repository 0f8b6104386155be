//! Files that are damaged or incomplete, and imports that are interrupted.

use std::{fmt::Write, process::Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use tokio::io::AsyncWriteExt;

use super::{export, forget_events, import, imported, refusals::assert_refused, rows};
use crate::harness::{
    Fixture, apply, behaviour, column, insert_numbered, insert_posts,
    process::{acclaim, signal},
};

/// `file` with the right checksum in its last line.
pub fn sealed(file: &str) -> String {
    let lines = file.trim_end().rsplit_once('\n').expect("no lines").0;
    let mut sealed = format!("{lines}\n");
    let bytes = digest(&SHA256, sealed.as_bytes());
    sealed += "{\"sha256\":\"";
    for byte in bytes.as_ref() {
        write!(sealed, "{byte:02x}").expect("not written");
    }
    sealed + "\"}\n"
}

/// The end of the header of a file with 2 users.
const SEQUENCES: &str = "\"users\":2,\"webhooks\":0}}";

/// An export of 2 users, `posts` posts and as many votes. The database of `fixture` is empty.
async fn file_for(fixture: &Fixture, posts: u32) -> String {
    let source = Fixture::new(fixture.kind.clone()).await;
    let service = source.serve().await;
    let ada = service.user("ada").await;
    service.user("grace").await;
    let connection = source.connect().await;
    insert_posts(&connection, ada.id, posts, "Some words of a post").await;
    let votes = format!("{}, id, created_at FROM posts", ada.id);
    insert_numbered(
        &connection,
        1,
        "votes (user_id, post_id, created_at)",
        &votes,
    )
    .await;
    forget_events(&source).await;
    let file = export(&source, "a.ndjson").await;
    source.end().await;
    fixture.migrate().await;
    file
}

/// Asserts that none of `files` is imported. Each comes with words of the error.
async fn assert_none_imported(fixture: &Fixture, files: &[(String, &[&str])]) {
    for (file, words) in files {
        let refused = import(fixture, file).await;
        assert_refused(&refused, words);
        if words[0].starts_with("lines") {
            // sqlx appends the line in PostgreSQL's source code.
            assert!(!refused.stderr.contains("at line"), "{}", refused.stderr);
        }
        assert_eq!(rows(fixture).await, 0, "{words:?}");
    }
}

fn replaced(file: &str, from: &str, to: &str) -> String {
    let changed = file.replacen(from, to, 1);
    assert_ne!(changed, file, "{from}");
    changed
}

#[apply(behaviour)]
async fn a_damaged_file_is_not_imported(fixture: Fixture) {
    let file = file_for(&fixture, 6).await;
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(lines.len(), 1 + 2 + 6 + 6 + 1, "{file}");
    let first = |count: usize| lines[..count].join("\n");
    let changed = |from: &str, to: &str| replaced(&file, from, to);
    let incomplete = "incomplete";
    let damaged = [
        (String::new(), &["line 1", incomplete][..]),
        ("{}\n".to_owned(), &["line 1", "acclaim export"]),
        ("-- SQL\n".to_owned(), &["line 1", "acclaim export"]),
        (first(16), &["line 16", incomplete]),
        (first(15) + "\n", &["line 16", incomplete]),
        (first(15), &["line 15", incomplete]),
        (first(5) + "\n", &["line 6", incomplete]),
        (file[..700].to_owned(), &["line", incomplete]),
        (file.clone() + "\n", &["line 17", "after its end"]),
        (file.clone() + &file, &["line 17", "after its end"]),
        (
            changed("Some words", "Some Words"),
            &["line 16", "checksum"],
        ),
        (
            changed(
                "\"posts\":6,\"tokens\":0,\"users\":2,\"webhooks\":0}}",
                "\"posts\":7,\"tokens\":0,\"users\":2,\"webhooks\":0}}",
            ),
            &["line 16", "checksum"],
        ),
        (changed("\"id\":2", "\"id\";2"), &["line 3", "column"]),
        (changed("ada@", "ada\n@"), &["line 2", "column"]),
    ];
    assert_none_imported(&fixture, &damaged).await;
    imported(&fixture, &file).await;
    assert_eq!(export(&fixture, "b.ndjson").await, file);
}

/// The checksum is right.
#[apply(behaviour)]
async fn a_wrong_file_is_not_imported(fixture: Fixture) {
    let file = file_for(&fixture, 6).await;
    let lines: Vec<&str> = file.lines().collect();
    let without = |number: usize| {
        let mut lines = lines.clone();
        lines.remove(number - 1);
        sealed(&(lines.join("\n") + "\n"))
    };
    let swapped = |one: usize, other: usize| {
        let mut lines = lines.clone();
        lines.swap(one - 1, other - 1);
        sealed(&(lines.join("\n") + "\n"))
    };
    let changed = |from: &str, to: &str| sealed(&replaced(&file, from, to));
    let wrong = [
        (
            without(9),
            &["line 9: the rows of `posts` end here, after 5 in place of 6"][..],
        ),
        (
            without(2),
            &["line 3: the rows of `users` end here, after 1 in place of 2"],
        ),
        (
            swapped(9, 10),
            &["line 9: the rows of `posts` end here, after 5 in place of 6"],
        ),
        (
            changed("\"acclaim_export\":1", "\"acclaim_export\":2"),
            &["version 2", "newer acclaim"],
        ),
        (
            changed("\"users\":2,", "\"people\":2,"),
            &["line 1", "`tables`"],
        ),
        (
            changed(SEQUENCES, &SEQUENCES.replace("users", "votes")),
            &["line 1", "`sequences`"],
        ),
        (
            changed(SEQUENCES, &SEQUENCES.replace('2', "1")),
            &["higher id in `users`"],
        ),
        (
            changed("\"votes\":1}", "\"votes\":3}"),
            &["number of votes for post 1"],
        ),
        (changed("\"id\":1,", ""), &["line 2", "`id` is missing"]),
        (
            changed("\"id\":1,", "\"id\":1,\"age\":3,"),
            &["line 2", "`age` is no column"],
        ),
        (
            changed("\"id\":1,", "\"id\":null,"),
            &["line 2", "`id` is not a number"],
        ),
        (
            changed("\"id\":1,", "\"id\":1.5,"),
            &["line 2", "`id` is not a whole number"],
        ),
        (
            changed("\"id\":1,", "\"id\":true,"),
            &["line 2", "`id` is not a number"],
        ),
        (
            changed("\"published\":false", "\"published\":0"),
            &["line 4", "`published` is neither"],
        ),
        (
            changed("\"role\":\"user\"", "\"role\":\"king\""),
            &["lines 2 to 3", "users_role_check"],
        ),
        (
            changed("\"id\":2,", "\"id\":1,"),
            &["lines 2 to 3", "refuses a row"],
        ),
        (
            changed("\"owner_id\":1", "\"owner_id\":9"),
            &["lines 4 to 9", "refuses a row"],
        ),
        (
            changed("\"deleted_at\":null", "\"deleted_at\":\"now\""),
            &["line 2", "RFC 3339"],
        ),
        (
            changed("Some words", "Some\\u0000words"),
            &["line 4", "`content` contains the character NUL"],
        ),
    ];
    assert_none_imported(&fixture, &wrong).await;
    if fixture.is_postgres() {
        let used = "SELECT is_called::text FROM users_id_seq";
        assert_eq!(column(&fixture.connect().await, used).await, ["false"]);
    }
}

#[apply(behaviour)]
async fn a_row_that_the_service_could_not_read_is_not_imported(fixture: Fixture) {
    let file = file_for(&fixture, 6).await;
    let metadata = |text: &str| {
        let member = format!("\"metadata\":\"{text}\"");
        sealed(&replaced(&file, "\"metadata\":null", &member))
    };
    let ids = |table: &str| {
        let last = format!("\"{table}\":9007199254740992");
        sealed(&replaced(
            &file,
            &format!("\"{table}\":2,\"webhooks\":0}}}}"),
            &format!("{last},\"webhooks\":0}}}}"),
        ))
    };
    let wrong = [
        (metadata("{"), &["lines 4 to 9", "refuses a row"][..]),
        (metadata("[]"), &["lines 4 to 9", "posts_metadata_check"]),
        (ids("users"), &["no id left", "`users`"]),
    ];
    assert_none_imported(&fixture, &wrong).await;
}

#[apply(behaviour)]
async fn a_killed_import_leaves_nothing_and_runs_again(fixture: Fixture) {
    let file = file_for(&fixture, 5_000).await;
    let settings = [("DATABASE_URL", fixture.owner_url.as_str())];
    let mut process = acclaim(fixture.folder(), &["import", "-"], &settings)
        .stdin(Stdio::piped())
        .spawn()
        .expect("acclaim did not start");
    let mut stdin = process.stdin.take().expect("no stdin");
    // A pipe holds 64 KiB: the import has read most of it, and waits for the rest.
    assert!(file.len() > 1_000_000);
    let most = &file.as_bytes()[..file.len() * 3 / 4];
    stdin.write_all(most).await.expect("not written");
    signal(process.id().expect("acclaim has ended"), "KILL");
    let status = process.wait().await.expect("cannot wait for acclaim");
    assert_eq!(status.code(), None);
    assert_eq!(rows(&fixture).await, 0);
    imported(&fixture, &file).await;
    assert_eq!(export(&fixture, "b.ndjson").await, file);
}
