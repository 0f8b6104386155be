//! Reads the columns of a table from the catalogue of the database.

use sqlx::{query_as, sqlite::Sqlite};

use super::{Column, Kind, Table, Tables};

/// Name, type, not null, generated, place in the primary key or 0, and whether a sequence gives its
/// values.
type Row = (String, String, bool, bool, i64, bool);

const SQLITE: &str = "SELECT name, lower(type), \"notnull\" <> 0 OR pk > 0, hidden <> 0, pk, \
        pk > 0 AND EXISTS (SELECT 1 FROM sqlite_master \
            WHERE type = 'table' AND name = ?1 AND sql LIKE '%AUTOINCREMENT%') \
     FROM pragma_table_xinfo(?1)";

/// Not `information_schema`, which hides columns that the role may not read: they would be left out
/// silently.
const POSTGRES: &str = "SELECT attname::text, format_type(atttypid, NULL), attnotnull, \
        attgenerated <> '', \
        coalesce((SELECT place FROM unnest(indkey) WITH ORDINALITY AS keys (number, place) \
            WHERE number = attnum), 0), \
        attidentity <> '' \
     FROM pg_attribute LEFT JOIN pg_index ON indrelid = attrelid AND indisprimary \
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";

impl Tables {
    /// The table `name`; `None` if it does not exist.
    ///
    /// # Errors
    /// If a column has a type that is not one of the known kinds.
    pub async fn table(&mut self, name: &'static str) -> Result<Option<Table>, sqlx::Error> {
        let rows: Vec<Row> = match self {
            Self::Sqlite(connection) => {
                let columns = query_as::<Sqlite, Row>(SQLITE).bind(name);
                columns.fetch_all(&mut **connection).await?
            }
            Self::Postgres(opened) => {
                let columns = query_as(POSTGRES).bind(name);
                columns.fetch_all(&mut opened.connection).await?
            }
        };
        let has_sequence = rows.iter().any(|row| row.5);
        let key = rows.iter().filter(|row| row.4 > 0).count();
        let mut stored = Vec::new();
        for (column, sql_type, not_null, is_generated, place, _) in rows {
            if is_generated {
                continue;
            }
            let kind = kind(&sql_type).ok_or_else(|| {
                let message =
                    format!("the column {column} of {name} has the unknown type {sql_type}");
                sqlx::Error::Protocol(message)
            })?;
            let place = if place > 0 { place } else { i64::MAX };
            let column = Column {
                name: column,
                kind,
                is_nullable: !not_null,
                sql_type,
            };
            stored.push((place, column));
        }
        stored.sort_by(|(place, column), (other_place, other)| {
            (place, &column.name).cmp(&(other_place, &other.name))
        });
        let columns: Vec<Column> = stored.into_iter().map(|(_, column)| column).collect();
        Ok((!columns.is_empty()).then_some(Table {
            name,
            columns,
            key,
            has_sequence,
        }))
    }
}

fn kind(sql_type: &str) -> Option<Kind> {
    Some(match sql_type {
        "bigint" | "integer" | "smallint" => Kind::Integer,
        "boolean" => Kind::Boolean,
        "text" | "varchar" | "character varying" | "json" | "jsonb" => Kind::Text,
        "timestamp with time zone" | "timestamp_with_timezone_text" => Kind::Time,
        "bytea" | "blob" => Kind::Bytes,
        _ => return None,
    })
}
