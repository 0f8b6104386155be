//! Reads all rows of a table, and the state of its sequence.

use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use sqlx::{AssertSqlSafe, ColumnIndex, Decode, Row, query, query_scalar};

use super::{Kind, Table, Tables, Value, quoted};

impl Tables {
    /// The number of rows of `table`.
    pub async fn count(&mut self, table: &Table) -> Result<u64, sqlx::Error> {
        let count = format!("SELECT count(*) FROM {}", quoted(table.name));
        let count = self.integer(&count).await?;
        Ok(count.and_then(|count| count.try_into().ok()).unwrap_or(0))
    }

    /// True if `table` has no row.
    pub async fn is_empty(&mut self, table: &Table) -> Result<bool, sqlx::Error> {
        let first = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {} LIMIT 1) AS first",
            quoted(table.name)
        );
        Ok(self.integer(&first).await? == Some(0))
    }

    /// The last id that the database assigned or that a row has; 0 for none. `None` if `table` has no
    /// sequence.
    pub async fn last_id(&mut self, table: &Table) -> Result<Option<i64>, sqlx::Error> {
        let Some(key) = table.columns.first().filter(|_| table.has_sequence) else {
            return Ok(None);
        };
        let (name, id) = (quoted(table.name), quoted(&key.name));
        let sql = match self {
            Self::Sqlite(_) => format!(
                "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{}'), 0), \
                    coalesce((SELECT max({id}) FROM {name}), 0))",
                table.name
            ),
            Self::Postgres(opened) => {
                // Not `pg_sequence_last_value`, which is null for a role without the privilege.
                let sequence = format!("SELECT {}::text", sequence(table, &key.name));
                let sequence: String = query_scalar(AssertSqlSafe(sequence))
                    .fetch_one(&mut opened.connection)
                    .await?;
                format!(
                    "SELECT greatest(CASE WHEN is_called THEN last_value ELSE 0 END, \
                        coalesce((SELECT max({id}) FROM {name}), 0)) FROM {sequence}"
                )
            }
        };
        self.integer(&sql).await
    }

    /// The highest id of a row of `table`, whose key is an id; 0 without rows.
    pub async fn highest_id(&mut self, table: &Table) -> Result<i64, sqlx::Error> {
        let Some(key) = table.columns.first() else {
            return Ok(0);
        };
        let highest = format!(
            "SELECT max({}) FROM {}",
            quoted(&key.name),
            quoted(table.name)
        );
        Ok(self.integer(&highest).await?.unwrap_or_default())
    }

    /// All rows of `table` in the order of its primary key, which is the same on both databases. Each
    /// row has one value for each of the columns.
    pub fn rows<'a>(
        &'a mut self,
        table: &'a Table,
    ) -> BoxStream<'a, Result<Vec<Value>, sqlx::Error>> {
        let sql = AssertSqlSafe(self.select(table));
        match self {
            Self::Sqlite(connection) => query(sql)
                .fetch(&mut **connection)
                .and_then(|row| std::future::ready(values(table, &row)))
                .boxed(),
            Self::Postgres(opened) => query(sql)
                .fetch(&mut opened.connection)
                .and_then(|row| std::future::ready(values(table, &row)))
                .boxed(),
        }
    }

    fn select(&self, table: &Table) -> String {
        let is_postgres = matches!(self, Self::Postgres(_));
        let columns = table.columns.iter().map(|column| {
            let name = quoted(&column.name);
            if is_postgres {
                format!("{name}::{}", canonical(column.kind))
            } else {
                name
            }
        });
        let key = table.columns.iter().take(table.key).map(|column| {
            let name = format!("whole.{}", quoted(&column.name));
            // The order of bytes, as in SQLite, whatever the locale of the database.
            if is_postgres && column.kind == Kind::Text {
                format!("{name} COLLATE \"C\"")
            } else {
                name
            }
        });
        format!(
            "SELECT {} FROM {} AS whole ORDER BY {}",
            columns.collect::<Vec<_>>().join(", "),
            quoted(table.name),
            key.collect::<Vec<_>>().join(", ")
        )
    }
}

/// The type of PostgreSQL in which values of `kind` are read and written.
pub(super) fn canonical(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "bigint",
        Kind::Boolean => "boolean",
        Kind::Text => "text",
        Kind::Time => "timestamptz",
        Kind::Bytes => "bytea",
    }
}

/// SQL for the sequence of column `id` of `table` on PostgreSQL.
pub(super) fn sequence(table: &Table, id: &str) -> String {
    format!("pg_get_serial_sequence('{}', '{id}')::regclass", table.name)
}

fn values<R>(table: &Table, row: &R) -> Result<Vec<Value>, sqlx::Error>
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database>,
    for<'r> bool: Decode<'r, R::Database>,
    for<'r> String: Decode<'r, R::Database>,
    for<'r> time::OffsetDateTime: Decode<'r, R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database>,
{
    let columns = table.columns.iter().enumerate();
    let values = columns.map(|(place, column)| {
        // Unchecked: SQLite knows the types by other names.
        let value = match column.kind {
            Kind::Integer => row
                .try_get_unchecked::<Option<_>, _>(place)?
                .map(Value::Integer),
            Kind::Boolean => row
                .try_get_unchecked::<Option<_>, _>(place)?
                .map(Value::Boolean),
            Kind::Text => row
                .try_get_unchecked::<Option<_>, _>(place)?
                .map(Value::Text),
            Kind::Time => row
                .try_get_unchecked::<Option<_>, _>(place)?
                .map(Value::Time),
            Kind::Bytes => row
                .try_get_unchecked::<Option<_>, _>(place)?
                .map(Value::Bytes),
        };
        Ok(value.unwrap_or(Value::Null))
    });
    values.collect()
}
