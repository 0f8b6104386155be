//! Reads of many rows have the same values on both databases.

use acclaim::db::{Db, Moment, many_rows};
use entity::{
    audit_log::{self, Action},
    values::{Reason, UserId},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, FromQueryResult, Statement};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::harness::{Fixture, apply, behaviour, sqlite_behaviour};

/// In another order than the columns.
#[derive(Debug, Deserialize, FromQueryResult)]
struct Row {
    at: Moment,
    owner_id: Option<UserId>,
    subject: String,
    subject_id: i64,
}

#[apply(behaviour)]
async fn many_rows_keep_their_values_and_their_order(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let at = OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap();
    // Whole seconds have no fraction in SQLite.
    let entries = [
        (i64::MAX, None, "\"é\" \\ 🦀\n\t", at),
        (
            (1 << 53) + 1,
            None,
            "",
            at + time::Duration::microseconds(1),
        ),
        (
            1,
            UserId::parse(7).ok(),
            "1",
            at - time::Duration::days(40_000),
        ),
    ];
    for (subject_id, owner_id, subject, at) in entries {
        let entry = audit_log::ActiveModel {
            at: Set(at),
            actor_id: Set(None),
            actor: Set(String::new()),
            action: Set(Action::DeletePost),
            subject_id: Set(subject_id),
            owner_id: Set(owner_id),
            subject: Set(subject.to_owned()),
            reason: Set(Reason::default()),
            ..Default::default()
        };
        entry.insert(&connection).await.unwrap();
    }
    let db = Db::open(&fixture.database()).await.unwrap();
    let read = async |condition: &str| {
        let sql = format!(
            "SELECT subject_id, subject, owner_id, at FROM audit_log WHERE {condition} \
             ORDER BY id DESC LIMIT 10"
        );
        let statement = Statement::from_string(db.read().get_database_backend(), sql);
        let rows: Vec<Row> = many_rows(db.read(), statement).await.unwrap();
        rows
    };
    let rows = read("true").await;
    let values = rows.iter().rev();
    let values = values.map(|row| (row.subject_id, row.owner_id, row.subject.as_str(), row.at.0));
    assert_eq!(values.collect::<Vec<_>>(), entries);
    assert!(read("false").await.is_empty());
}

#[derive(Debug, Deserialize, FromQueryResult)]
struct UnknownColumn {
    #[expect(dead_code, reason = "cannot be read")]
    unknown: String,
}

#[apply(behaviour)]
async fn an_unknown_column_is_an_error(fixture: Fixture) {
    fixture.migrate().await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let statement = Statement::from_string(db.read().get_database_backend(), "SELECT 'a' AS known");
    let rows = many_rows::<UnknownColumn>(db.read(), statement).await;
    assert!(rows.is_err(), "{rows:?}");
}

/// As an operator writes it.
#[apply(sqlite_behaviour)]
async fn a_time_without_an_offset_is_read(fixture: Fixture) {
    fixture.migrate().await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let sql =
        "SELECT 1 AS subject_id, 'a' AS subject, NULL AS owner_id, '2026-11-29 10:00:00' AS at";
    let statement = Statement::from_string(db.read().get_database_backend(), sql);
    let rows: Vec<Row> = many_rows(db.read(), statement).await.unwrap();
    assert_eq!(rows[0].at.0.hour(), 10);
}
