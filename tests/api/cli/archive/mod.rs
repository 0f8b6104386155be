//! `acclaim export` and `acclaim import`

mod damage;
mod files;
mod move_house;
mod refusals;

use std::{collections::BTreeSet, fs, path::PathBuf};

use acclaim::{db::tables::Tables, services::archive::TABLES};
use sea_orm::ConnectionTrait;

use super::as_owner;
use crate::{
    events::numbered,
    harness::{Fixture, apply, behaviour, column, process::Ended},
};
pub use refusals::assert_refused;

/// The tables that are not exported: triggers or a job derive them, or they are of the schema itself, or they
/// end with a move.
const OTHERS: [&str; 16] = [
    "activity_days",
    "event_outbox",
    "event_tickets",
    "post_statistics",
    "post_tags",
    "post_vote_days",
    "ranks",
    "refresh_tokens",
    "seaql_migrations",
    "sessions",
    "sqlite_sequence",
    "statistics",
    "tag_statistics",
    "user_activity",
    "user_statistics",
    "webhook_progress",
];
/// The columns that are not exported, because the database computes them.
const GENERATED: [&str; 1] = ["posts.search"];

/// Exports to the file `name` and returns its content.
async fn export(fixture: &Fixture, name: &str) -> String {
    let ended = as_owner(fixture, &["export", name]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    fs::read_to_string(file(fixture, name)).expect("not UTF-8")
}

/// Removes the events so far, so that the file has only what a test is about.
async fn forget_events(fixture: &Fixture) {
    numbered(fixture).await;
    let connection = fixture.connect().await;
    let delete = connection.execute_unprepared("DELETE FROM events");
    delete.await.expect("not deleted");
}

/// Imports `content`.
async fn import(fixture: &Fixture, content: &str) -> Ended {
    let file = file(fixture, "import.ndjson");
    fs::write(&file, content).expect("not written");
    as_owner(fixture, &["import", "import.ndjson"]).await
}

/// Imports `content`, which must succeed.
async fn imported(fixture: &Fixture, content: &str) {
    let ended = import(fixture, content).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

fn file(fixture: &Fixture, name: &str) -> PathBuf {
    fixture.folder().join(name)
}

/// The number of rows in the tables that are exported.
async fn rows(fixture: &Fixture) -> u64 {
    let mut tables = Tables::open(&fixture.owned_database())
        .await
        .expect("not opened");
    let mut rows = 0;
    for name in TABLES {
        if let Some(table) = tables.table(name).await.expect(name) {
            rows += tables.count(&table).await.expect(name);
        }
    }
    rows
}

/// A new table or column is exported, or it is listed above.
#[apply(behaviour)]
async fn every_column_of_the_schema_is_exported_or_listed(fixture: Fixture) {
    fixture.migrate().await;
    let (tables, columns) = if fixture.is_postgres() {
        let table = "SELECT relname::text FROM pg_class WHERE relkind = 'r' \
                     AND relnamespace = 'public'::regnamespace";
        let column = "SELECT table_name || '.' || column_name FROM information_schema.columns \
                      WHERE table_schema = 'public'";
        (table, column)
    } else {
        // Each FTS5 table has tables of its own with its name as the prefix.
        let table = "SELECT name FROM sqlite_master WHERE type = 'table' \
                     AND name NOT LIKE 'posts\\_search%' ESCAPE '\\' \
                     AND name NOT LIKE 'posts\\_titles%' ESCAPE '\\'";
        let column = "SELECT tables.name || '.' || columns.name FROM sqlite_master AS tables \
                      JOIN pragma_table_xinfo(tables.name) AS columns WHERE tables.type = 'table'";
        (table, column)
    };
    let connection = fixture.connect().await;
    let mut database = Tables::open(&fixture.owned_database())
        .await
        .expect("not opened");
    let (mut known, mut exported) = (BTreeSet::from(OTHERS.map(str::to_owned)), BTreeSet::new());
    for name in TABLES {
        let table = database.table(name).await.expect(name);
        known.insert(name.to_owned());
        let columns = table.map_or(Vec::new(), |table| table.columns);
        exported.extend(columns.iter().map(|it| format!("{name}.{}", it.name)));
    }
    let present = column(&connection, tables).await;
    let forgotten: Vec<_> = present.iter().filter(|it| !known.contains(*it)).collect();
    assert!(
        forgotten.is_empty(),
        "neither exported nor listed: {forgotten:?}"
    );
    let of_exported = |name: &str| TABLES.contains(&name.split('.').next().unwrap_or_default());
    let present = column(&connection, columns).await;
    let mut forgotten: Vec<_> = present.iter().filter(|it| of_exported(it)).collect();
    assert!(forgotten.len() > 30, "{forgotten:?}");
    forgotten.retain(|it| !exported.contains(*it) && !GENERATED.contains(&it.as_str()));
    assert!(
        forgotten.is_empty(),
        "neither exported nor listed: {forgotten:?}"
    );
}
