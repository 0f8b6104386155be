//! Reads of many rows.

use sea_orm::{
    ColIdx, ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryResult, Statement,
    TryGetError, TryGetable,
};
use serde::{Deserialize, de::DeserializeOwned};
use time::OffsetDateTime;

/// Reads the rows of `statement`. The fields of `T` have the names and the order of its `columns` columns, which
/// are integers, texts, [`Moment`]s or null.
///
/// On SQLite all rows come as one JSON text: the driver takes several times as long to pass on a row as SQLite to
/// find it. They keep their order if `statement` has a LIMIT.
///
/// # Errors
/// Those of the query, and [`DbErr::Type`] if the values are not those of `T`.
pub async fn many_rows<T: DeserializeOwned + FromQueryResult>(
    connection: &impl ConnectionTrait,
    mut statement: Statement,
    columns: usize,
) -> Result<Vec<T>, DbErr> {
    if connection.get_database_backend() != DbBackend::Sqlite {
        let rows = connection.query_all_raw(statement).await?;
        let rows = rows.iter().map(|row| T::from_query_result(row, ""));
        return rows.collect();
    }
    let names = (0..columns).map(|column| format!("c{column}"));
    let names = names.collect::<Vec<_>>().join(", ");
    statement.sql = format!(
        "WITH rows ({names}) AS ({}) SELECT json_group_array(json_array({names})) FROM rows",
        statement.sql
    );
    // An aggregate has a row.
    let Some(row) = connection.query_one_raw(statement).await? else {
        return Ok(Vec::new());
    };
    let json: String = row.try_get_by_index(0)?;
    serde_json::from_str(&json).map_err(|error| DbErr::Type(error.to_string()))
}

/// A point in time, which SQLite has as a text of RFC 3339.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Moment(#[serde(with = "time::serde::rfc3339")] pub OffsetDateTime);

impl TryGetable for Moment {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        OffsetDateTime::try_get_by(row, index).map(Self)
    }
}
