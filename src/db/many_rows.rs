//! Reads of many rows.

use sea_orm::{
    ColIdx, ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryResult, Statement,
    TryGetError, TryGetable,
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, Visitor, value::Error},
    forward_to_deserialize_any,
};
use time::OffsetDateTime;

/// Reads the rows of `statement` into a struct, whose fields have the names of the columns. They are integers,
/// texts, [`Moment`]s or null: not booleans, which are numbers on SQLite, and not results of JSON functions,
/// which would be nested.
///
/// On SQLite all rows come as one JSON text: the driver takes several times as long to pass on a row as SQLite to
/// find it. Without a LIMIT, SQLite ignores the ORDER BY of `statement`.
///
/// # Errors
/// Those of the query and of its rows.
pub async fn many_rows<T: DeserializeOwned + FromQueryResult>(
    connection: &impl ConnectionTrait,
    statement: Statement,
) -> Result<Vec<T>, DbErr> {
    if connection.get_database_backend() == DbBackend::Sqlite
        && let Some(rows) = rows_as_json(connection, &statement).await?
    {
        return Ok(rows);
    }
    let rows = connection.query_all_raw(statement).await?;
    let rows = rows.iter().map(|row| T::from_query_result(row, ""));
    rows.collect()
}

/// Reads the rows of `statement` as one JSON text. `None` if the values are not those of `T` there: the driver
/// knows more forms of a point in time, and its errors name the column.
async fn rows_as_json<T: DeserializeOwned>(
    connection: &impl ConnectionTrait,
    statement: &Statement,
) -> Result<Option<Vec<T>>, DbErr> {
    // With the table, because SQLite reads an unknown name in quotation marks as a text.
    let columns = fields::<T>()
        .iter()
        .map(|field| format!("\"rows\".\"{field}\""));
    let sql = format!(
        "SELECT json_group_array(json_array({})) FROM ({}) AS \"rows\"",
        columns.collect::<Vec<_>>().join(", "),
        statement.sql
    );
    let statement = Statement {
        sql,
        ..statement.clone()
    };
    let row = connection.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("an aggregate has no row".to_owned()))?;
    let json: String = row.try_get_by_index(0)?;
    Ok(serde_json::from_str(&json).ok())
}

/// The names of the fields of a struct, in the order in which it is read from an array. None for another type.
fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &[&str] = &[];
    // Fails in any case.
    let _ = T::deserialize(FieldNames(&mut fields));
    fields
}

/// Notes the names of the fields of a struct.
struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("there are no values"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A point in time, which SQLite has as a text of RFC 3339.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Moment(#[serde(with = "time::serde::rfc3339")] pub OffsetDateTime);

impl TryGetable for Moment {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        OffsetDateTime::try_get_by(row, index).map(Self)
    }
}
