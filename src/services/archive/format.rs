//! A row as a line of JSON: an object with the name of the table and a member for each column.

use std::io::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value as Json};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::db::tables::{Column, Kind, Table, Value};

/// Appends a line with `values`, which are those of the columns of `table`.
///
/// Fails only if memory ends.
pub(super) fn write_row(
    line: &mut Vec<u8>,
    table: &Table,
    values: &[Value],
) -> std::io::Result<()> {
    write!(line, "{{\"table\":\"{}\"", table.name)?;
    for (column, value) in table.columns.iter().zip(values) {
        line.push(b',');
        serde_json::to_writer(&mut *line, &column.name)?;
        line.push(b':');
        match value {
            Value::Null => line.extend(b"null"),
            Value::Integer(number) => write!(line, "{number}")?,
            Value::Boolean(truth) => write!(line, "{truth}")?,
            Value::Text(text) => serde_json::to_writer(&mut *line, text)?,
            Value::Time(time) => write_time(line, *time)?,
            Value::Bytes(bytes) => {
                serde_json::to_writer(&mut *line, &BASE64_STANDARD.encode(bytes))?;
            }
        }
    }
    line.extend(b"}\n");
    Ok(())
}

/// RFC 3339 in UTC, always with six digits of the second's fraction.
fn write_time(line: &mut Vec<u8>, time: OffsetDateTime) -> std::io::Result<()> {
    let time = time.to_offset(UtcOffset::UTC);
    write!(
        line,
        "\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z\"",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond()
    )
}

/// The values of the columns of `table` from the members of a line. The error says what is wrong.
pub(super) fn read_row(
    table: &Table,
    mut members: Map<String, Json>,
) -> Result<Vec<Value>, String> {
    let mut values = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let name = &column.name;
        let member = members
            .remove(name)
            .ok_or_else(|| format!("`{name}` is missing"))?;
        values.push(read_value(column, member).map_err(|problem| format!("`{name}` {problem}"))?);
    }
    match members.keys().next() {
        Some(name) => Err(format!("`{name}` is no column of `{}`", table.name)),
        None => Ok(values),
    }
}

fn read_value(column: &Column, member: Json) -> Result<Value, String> {
    Ok(match (column.kind, member) {
        (_, Json::Null) if column.is_nullable => Value::Null,
        (Kind::Integer, Json::Number(number)) => {
            let number = number.as_i64();
            Value::Integer(number.ok_or("is not a whole number of 64 bits")?)
        }
        (Kind::Boolean, Json::Bool(truth)) => Value::Boolean(truth),
        // PostgreSQL cannot store it, and the service refuses it.
        (Kind::Text, Json::String(text)) if text.contains('\0') => {
            return Err("contains the character NUL".to_owned());
        }
        (Kind::Text, Json::String(text)) => Value::Text(text),
        (Kind::Time, Json::String(text)) => Value::Time(read_time(&text)?),
        (Kind::Bytes, Json::String(text)) => {
            let bytes = BASE64_STANDARD.decode(text);
            Value::Bytes(bytes.map_err(|_| "is not base64")?)
        }
        (Kind::Integer, _) => return Err("is not a number".to_owned()),
        (Kind::Boolean, _) => return Err("is neither true nor false".to_owned()),
        (Kind::Text | Kind::Time | Kind::Bytes, _) => return Err("is not a text".to_owned()),
    })
}

/// A time of the precision that both databases store.
fn read_time(text: &str) -> Result<OffsetDateTime, &'static str> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok();
    // The service compares the texts of SQLite, which must all be in UTC.
    let time = time.and_then(|time| time.checked_to_offset(UtcOffset::UTC));
    let time = time.ok_or("is not a time as in RFC 3339")?;
    if time.nanosecond() % 1_000 == 0 {
        Ok(time)
    } else {
        Err("has more than six digits of a second's fraction")
    }
}
