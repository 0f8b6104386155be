//! The changes of many posts as a table in SQL. Its columns come from the entity, so a new one needs nothing
//! here.

use entity::posts::{ActiveModel, Column};
use sea_orm::{ActiveModelTrait, IdenStatic, Iterable, Value, sea_query::Expr};

use crate::db::ValuesTable;

/// Adds the columns that `changes` set to `table`, and for each of them a column of booleans, which is true for
/// the rows that set it. Returns the former.
pub(super) fn with_changes(
    mut table: ValuesTable,
    changes: &[&ActiveModel],
) -> (ValuesTable, Vec<Column>) {
    let mut columns = Vec::new();
    for column in Column::iter() {
        let values = changes.iter().map(|row| row.get(column).into_value());
        let values: Vec<Option<Value>> = values.collect();
        let Some(null) = values.iter().flatten().next().map(Value::as_null) else {
            continue;
        };
        table = table.column(is_set(column), values.iter().map(Option::is_some));
        let values = values.into_iter();
        let values = values.map(|value| value.unwrap_or_else(|| null.clone()));
        table = table.dynamic_column(column.as_str(), null.array_type(), true, values.collect());
        columns.push(column);
    }
    (table, columns)
}

/// True for a row that sets `column` to another value than its post has. A text of the post is read only if it
/// is as long as that of the row, so that a short request does not read many long texts.
pub(super) fn differs(column: Column) -> Expr {
    let name = column.as_str();
    let mut differs = format!("rows.{name} IS DISTINCT FROM posts.{name}");
    if let Column::Title | Column::Content = column {
        differs = format!(
            "CASE WHEN octet_length(rows.{name}) <> octet_length(posts.{name}) THEN true
             ELSE {differs} END"
        );
    }
    let is_set = is_set(column);
    Expr::cust(format!(
        "CASE WHEN rows.{is_set} THEN {differs} ELSE false END"
    ))
}

/// The value of `column` after the change.
pub(super) fn changed(column: Column) -> Expr {
    let name = column.as_str();
    Expr::case(
        Expr::cust(format!("rows.{}", is_set(column))),
        Expr::col(("rows", name)),
    )
    .finally(Expr::col(("posts", name)))
    .into()
}

fn is_set(column: Column) -> String {
    format!("sets_{}", column.as_str())
}
