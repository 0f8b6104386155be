//! Rows of values as a table in SQL.

use sea_orm::{
    DbBackend, DbErr, QueryResult, Value,
    sea_query::{
        ArrayType, Expr, ExprTrait, Func, Nullable, Query, SelectStatement, ValueType,
        sea_value_to_json_value,
    },
};
use serde::{Serialize, Serializer, ser::Error as _};
use time::format_description::well_known::Rfc3339;

use super::subquery;

/// A table of values, to join with or to insert from. Its SQL text does not depend on the number of
/// rows: PostgreSQL gets one array per column, SQLite gets JSON.
///
/// Values are numbers, texts, booleans and points in time.
#[derive(Clone, Debug, Default)]
pub struct ValuesTable(Vec<Column>);

#[derive(Clone, Debug)]
struct Column {
    name: String,
    array_type: ArrayType,
    is_nullable: bool,
    values: Vec<Value>,
}

impl ValuesTable {
    /// The column of [`numbered`](Self::numbered).
    pub const POSITION: &str = "position";

    /// A table without columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A table with the column [`POSITION`](Self::POSITION), which numbers `rows` rows from 0.
    #[must_use]
    pub fn numbered(rows: usize) -> Self {
        let positions = (0_i64..).take(rows);
        Self::new().column(Self::POSITION, positions)
    }

    /// Adds a column. All columns must have as many values.
    #[must_use]
    pub fn column<T>(self, name: impl Into<String>, values: impl IntoIterator<Item = T>) -> Self
    where
        T: ValueType + Into<Value>,
    {
        let values = values.into_iter().map(Into::into).collect();
        self.dynamic_column(name, T::array_type(), false, values)
    }

    /// Adds a column that may hold null.
    #[must_use]
    pub fn nullable_column<T>(
        self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = Option<T>>,
    ) -> Self
    where
        T: ValueType + Nullable + Into<Value>,
    {
        let values = values.into_iter().map(Into::into).collect();
        self.dynamic_column(name, T::array_type(), true, values)
    }

    /// Pairs each row with its key. The column [`POSITION`](Self::POSITION) of a row is the index of
    /// its key in `keys`.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn by_position<K: Clone, V>(
        keys: &[K],
        rows: &[QueryResult],
        read: impl Fn(&QueryResult) -> Result<V, DbErr>,
    ) -> Result<Vec<(K, V)>, DbErr> {
        let pair = |row: &QueryResult| {
            let position: i64 = row.try_get("", Self::POSITION)?;
            let key = usize::try_from(position)
                .ok()
                .and_then(|index| keys.get(index));
            let key = key.ok_or_else(|| DbErr::Custom(format!("no key is at {position}")))?;
            Ok((key.clone(), read(row)?))
        };
        rows.iter().map(pair).collect()
    }

    /// Adds a column of values that all have the type `array_type`.
    #[must_use]
    pub fn dynamic_column(
        mut self,
        name: impl Into<String>,
        array_type: ArrayType,
        is_nullable: bool,
        values: Vec<Value>,
    ) -> Self {
        self.0.push(Column {
            name: name.into(),
            array_type,
            is_nullable,
            values,
        });
        self
    }

    /// The table as a SELECT.
    #[must_use]
    pub fn select(self, backend: DbBackend) -> SelectStatement {
        match backend {
            DbBackend::Sqlite => self.json_rows(),
            _ => self.arrays(),
        }
    }

    /// One JSON array per row.
    fn json_rows(self) -> SelectStatement {
        let rows = self.0.first().map_or(0, |column| column.values.len());
        let mut json = Vec::new();
        json.resize_with(rows, Vec::new);
        let mut table = Query::select();
        for (place, column) in self.0.into_iter().enumerate() {
            table.expr_as(Expr::cust(format!("value ->> {place}")), column.name);
            for (row, value) in json.iter_mut().zip(column.values) {
                row.push(Json(value));
            }
        }
        // Fails only for a point in time after the year 9999. SQLite refuses an empty text.
        let json = serde_json::to_string(&json).unwrap_or_default();
        table
            .from_function(Func::cust("jsonb_each").arg(json), "rows")
            .take()
    }

    /// One array per column, and one of booleans for a column that may hold null: `sea-query-sqlx` panics at
    /// a null in an array.
    fn arrays(self) -> SelectStatement {
        let mut arrays = Query::select();
        let mut table = Query::select();
        for column in self.0 {
            let name = column.name;
            let mut value = Expr::col(name.clone());
            let mut values = column.values;
            if column.is_nullable {
                let is_null = format!("{name}_is_null");
                let nulls = values.iter().map(|value| *value == value.as_null());
                arrays.expr_as(
                    unnest(ArrayType::Bool, nulls.map(Value::from).collect()),
                    is_null.clone(),
                );
                for value in &mut values {
                    if *value == value.as_null() {
                        *value = value.dummy_value();
                    }
                }
                value = Expr::case(Expr::col(is_null).not(), value).into();
            }
            arrays.expr_as(unnest(column.array_type, values), name.clone());
            table.expr_as(value, name);
        }
        table.from_subquery(arrays, "arrays").take()
    }
}

/// A condition for the rows of a [`ValuesTable`], in a statement that names the table [`TABLE`](Self::TABLE).
#[derive(Debug)]
pub struct RowFilter {
    /// The columns that the condition needs in addition to those of the table.
    pub columns: ValuesTable,
    /// The condition.
    pub condition: Expr,
}

impl RowFilter {
    /// The name of the table.
    pub const TABLE: &str = "requested";

    /// Adds the condition to `select`. Returns `table` with the columns that the condition needs.
    #[must_use]
    pub fn apply(self, mut table: ValuesTable, select: &mut SelectStatement) -> ValuesTable {
        select.and_where(self.condition);
        table.0.extend(self.columns.0);
        table
    }
}

fn unnest(array_type: ArrayType, values: Vec<Value>) -> Expr {
    let array = Value::Array(array_type, Some(values.into()));
    // A subquery hides the length of the array. PostgreSQL would plan anew for each length.
    let hidden = Query::select().expr(Expr::value(array)).take();
    let hidden = subquery(hidden);
    Func::cust("unnest").arg(hidden).into()
}

/// A value in JSON.
struct Json(Value);

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            // Without a copy of the text.
            Value::String(Some(text)) => serializer.serialize_str(text),
            // The text that `SQLx` writes to SQLite.
            Value::TimeDateTimeWithTimeZone(Some(time)) => {
                let text = time.format(&Rfc3339).map_err(S::Error::custom)?;
                serializer.serialize_str(&text)
            }
            other => sea_value_to_json_value(other).serialize(serializer),
        }
    }
}
