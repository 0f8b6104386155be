//! Databases into which a file cannot be imported.

use acclaim::{db::tables::Tables, services::archive::TABLES};
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::Value;

use super::{damage::sealed, export, forget_events, import, imported, rows};
use crate::{
    cli::as_owner,
    harness::{Fixture, apply, behaviour},
};

/// Asserts that `ended` failed with one line that contains all of `words`.
#[track_caller]
pub fn assert_refused(ended: &crate::harness::process::Ended, words: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "no {word} in {}", ended.stderr);
    }
}

#[apply(behaviour)]
async fn an_import_needs_an_empty_database(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    forget_events(&fixture).await;
    let file = export(&fixture, "a.ndjson").await;
    let refused = import(&fixture, &file).await;
    assert_refused(&refused, &["rows in `users`", "needs an empty database"]);
    assert_eq!(rows(&fixture).await, 1);
    let none = as_owner(&fixture, &["import", "missing.ndjson"]).await;
    assert_refused(&none, &["cannot read `missing.ndjson`"]);
}

/// `file`, which has no rows, as the version of the migration `schema` would have written it.
async fn older(fixture: &Fixture, file: &str, schema: &str) -> String {
    let (header, _) = file.split_once('\n').expect("no header");
    let mut header: Value = serde_json::from_str(header).expect("not JSON");
    header["schema"] = schema.into();
    let mut database = Tables::open(&fixture.owned_database())
        .await
        .expect("not opened");
    for name in TABLES {
        if database.table(name).await.expect(name).is_none() {
            for member in ["tables", "sequences"] {
                header[member].as_object_mut().expect(member).remove(name);
            }
        }
    }
    sealed(&format!("{header}\n{{}}"))
}

#[apply(behaviour)]
async fn an_import_needs_the_schema_of_the_file(fixture: Fixture) {
    fixture.migrate().await;
    let file = export(&fixture, "a.ndjson").await;
    let down = as_owner(&fixture, &["migrate", "down", "-n", "2"]).await;
    assert_eq!(down.code, Some(0), "{}", down.stderr);
    let refused = import(&fixture, &file).await;
    assert_refused(
        &refused,
        &["newer than the database", "`acclaim migrate up -n 2`"],
    );
    let pending = as_owner(&fixture, &["export", "b.ndjson"]).await;
    assert_refused(&pending, &["2 pending migrations", "`acclaim migrate up`"]);
    // A file of that schema has the same tables.
    let status = as_owner(&fixture, &["migrate", "status"]).await;
    let names = status.stdout.lines().map(|line| line.split_at(9));
    let names: Vec<_> = names.collect();
    let applied = names
        .iter()
        .filter(|(status, _)| status.starts_with("applied"));
    let (_, old) = names[applied.count() - 1];
    let (_, newest) = names[names.len() - 1];
    let old = older(&fixture, &file, old).await;
    imported(&fixture, &old).await;
    let up = as_owner(&fixture, &["migrate", "up"]).await;
    assert_eq!(up.code, Some(0), "{}", up.stderr);
    let refused = import(&fixture, &old).await;
    assert_refused(
        &refused,
        &[
            "older than the database",
            "`acclaim migrate down -n 2`",
            "`acclaim migrate up`",
        ],
    );
    let unknown = sealed(&file.replace(newest, "m29991231_000000_later"));
    let refused = import(&fixture, &unknown).await;
    assert_refused(
        &refused,
        &[
            "m29991231_000000_later",
            "the version of Acclaim that wrote",
        ],
    );
    let reset = as_owner(&fixture, &["migrate", "reset"]).await;
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    for arguments in [["import", "a.ndjson"], ["export", "c.ndjson"]] {
        let refused = as_owner(&fixture, &arguments).await;
        assert_refused(&refused, &["no tables of Acclaim", "`acclaim migrate up`"]);
    }
}

#[apply(behaviour)]
async fn a_newer_database_is_neither_exported_nor_imported(fixture: Fixture) {
    fixture.migrate().await;
    let file = export(&fixture, "a.ndjson").await;
    let later = "INSERT INTO seaql_migrations VALUES ('m29991231_000000_later', 0)";
    let connection = fixture.connect().await;
    connection.execute_unprepared(later).await.expect(later);
    let exported = as_owner(&fixture, &["export", "b.ndjson"]).await;
    for refused in [exported, import(&fixture, &file).await] {
        assert_refused(&refused, &["m29991231_000000_later", "run a newer acclaim"]);
    }
}

#[apply(behaviour)]
async fn an_import_does_not_run_beside_another_writer(fixture: Fixture) {
    fixture.migrate().await;
    let file = export(&fixture, "a.ndjson").await;
    let other = fixture
        .connect()
        .await
        .begin()
        .await
        .expect("no transaction");
    let write = "UPDATE seaql_migrations SET applied_at = 0";
    other.execute_unprepared(write).await.expect(write);
    let refused = import(&fixture, &file).await;
    assert_refused(
        &refused,
        &["another program writes", "stop the service first"],
    );
    other.rollback().await.expect("no transaction");
    imported(&fixture, &file).await;
}
