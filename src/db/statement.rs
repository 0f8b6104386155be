//! The time limit of a statement, and its span by the OpenTelemetry semantic conventions for databases.

use std::{io, time::Duration};

use futures_util::{Stream, StreamExt, stream};
use opentelemetry::{
    KeyValue,
    trace::{SpanBuilder, SpanKind},
};
use sea_orm::DbBackend;
use tokio::time::{Instant, timeout, timeout_at};

use crate::traces::{self, Child};

/// Time limit of one statement. It is above PostgreSQL's own `statement_timeout`, and ends waiting
/// for a server that does not answer.
const LIMIT: Duration = Duration::from_secs(12);
/// Maximum length of the name of a table, that of PostgreSQL.
const MAX_NAME: usize = 63;
const OPERATIONS: [&str; 9] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "BEGIN", "COMMIT", "ROLLBACK", "PRAGMA",
];

/// Begins the span of the statement `sql`. It has neither the text nor the values.
pub(super) fn begin(backend: DbBackend, sql: &str) -> Child {
    traces::child(|| describe(backend, sql))
}

/// The type of `error` in a span: the SQLSTATE of PostgreSQL or the code of SQLite, if it has one.
fn error_type(error: &sqlx::Error) -> String {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    match (code, error) {
        (Some(code), _) => code.into_owned(),
        (None, sqlx::Error::Io(cause)) if cause.kind() == io::ErrorKind::TimedOut => {
            "timeout".into()
        }
        (None, _) => "other".into(),
    }
}

/// Runs the statement of `span`, for at most [`LIMIT`].
pub(super) async fn within_limit<T>(
    mut span: Child,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let outcome = timeout(LIMIT, work).await;
    let outcome = outcome.unwrap_or_else(|_| Err(timed_out()));
    if let Err(error) = &outcome {
        span.fail(|| error_type(error));
    }
    outcome
}

/// The items of the statement of `span`. [`LIMIT`] applies to all of them together.
pub(super) fn all_within_limit<'a, T>(
    span: Child,
    items: impl Stream<Item = Result<T, sqlx::Error>> + Send + 'a,
) -> impl Stream<Item = Result<T, sqlx::Error>> + Send + 'a {
    let end = Instant::now() + LIMIT;
    stream::unfold((Box::pin(items), span), move |mut state| async move {
        let next = timeout_at(end, state.0.next()).await;
        let item = next.unwrap_or_else(|_| Some(Err(timed_out())))?;
        if let Err(error) = &item {
            state.1.fail(|| error_type(error));
        }
        Some((item, state))
    })
}

/// The error of a statement or an attempt at connecting that took too long.
pub(super) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(io::ErrorKind::TimedOut.into())
}

fn describe(backend: DbBackend, sql: &str) -> SpanBuilder {
    let system = match backend {
        DbBackend::Sqlite => "sqlite",
        _ => "postgresql",
    };
    let operation = sql.split_ascii_whitespace().next().and_then(|first| {
        let mut known = OPERATIONS.into_iter();
        known.find(|known| known.eq_ignore_ascii_case(first))
    });
    let operation = operation.unwrap_or("SQL");
    let mut attributes = vec![
        KeyValue::new("db.system.name", system),
        KeyValue::new("db.operation.name", operation),
    ];
    let name = match table(sql) {
        Some(table) => {
            attributes.push(KeyValue::new("db.collection.name", table.to_owned()));
            format!("{operation} {table}")
        }
        None => operation.to_owned(),
    };
    SpanBuilder::from_name(name)
        .with_kind(SpanKind::Client)
        .with_attributes(attributes)
}

/// The first table that `sql` names outside of parentheses; the first one in them if there is none.
fn table(sql: &str) -> Option<&str> {
    let (mut depth, mut nested, mut is_next) = (0, None, false);
    for word in sql.split_ascii_whitespace() {
        let name = word.trim_matches(['"', ',', ')', ';']);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_name = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_name);
        if is_next && is_name {
            if depth == 0 {
                return Some(name);
            }
            nested.get_or_insert(name);
        }
        is_next = matches!(word.trim_start_matches('('), "FROM" | "INTO" | "UPDATE");
        for byte in word.bytes() {
            depth += i32::from(byte == b'(') - i32::from(byte == b')');
        }
    }
    nested
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_span_is_the_operation_and_the_first_table() {
        for (sql, name) in [
            (
                r#"SELECT "id", "title" FROM "posts" WHERE "id" = $1"#,
                "SELECT posts",
            ),
            (
                r#"INSERT INTO "votes" ("post_id") VALUES (?)"#,
                "INSERT votes",
            ),
            (r#"UPDATE "users" SET "email" = $1"#, "UPDATE users"),
            ("DELETE FROM sessions WHERE id = $1", "DELETE sessions"),
            (
                r#"SELECT * FROM (SELECT 1 FROM "posts") AS "p""#,
                "SELECT posts",
            ),
            ("with gone as (DELETE FROM \"posts\")", "WITH posts"),
            ("BEGIN IMMEDIATE", "BEGIN"),
            (
                r#"SELECT EXISTS (SELECT 1 FROM "votes"), "id" FROM "posts""#,
                "SELECT posts",
            ),
            ("VACUUM", "SQL"),
            ("", "SQL"),
        ] {
            assert_eq!(describe(DbBackend::Sqlite, sql).name, name, "{sql}");
        }
    }
}
