//! Rows that requests read or write together.

use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sea_orm::{
    DbBackend, DbErr, QueryResult, Value,
    sea_query::{Expr, Func, Query, SelectStatement, SimpleExpr, sea_value_to_json_value},
};

use super::{
    Db, Each, again, fault,
    share::{Found, Shared},
};
use crate::error::Error;

/// What one row is asked for by: its number, and who asks (0 is nobody).
pub type Pair = (i64, i64);

/// The values of one row.
pub type Row = Arc<[Value]>;

/// What a statement gave for each of the rows that it wrote, in their order; nothing for one that
/// was not to be written.
pub type Written = Result<Vec<Option<QueryResult>>, DbErr>;

/// One worker's reads and writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Together {
    rows: Shared<&'static str, Pair, Arc<QueryResult>>,
    writes: Shared<&'static str, Numbered, Result<Arc<QueryResult>, DbErr>>,
}

/// A row to write. Equal ones are not the same.
#[derive(Clone)]
struct Numbered {
    number: u64,
    row: Row,
}

impl Db {
    /// The row of `pair` by `find`, which can look for several at once and gives each with its
    /// pair. `kind` names what `find` looks for.
    pub async fn row<F, R>(
        &self,
        kind: &'static str,
        pair: Pair,
        find: F,
    ) -> Result<Option<Arc<QueryResult>>, DbErr>
    where
        F: FnOnce(Vec<Pair>) -> R + Send + 'static,
        R: Future<Output = Found<Pair, Arc<QueryResult>>> + Send + 'static,
    {
        self.together.rows.get(kind, pair, find).await
    }

    /// Writes `row` by `write`, which is one statement for several rows, and gives what that says
    /// of it. `kind` names what `write` does.
    ///
    /// Rows that come while a statement of their kind is under way are written by the next one, and
    /// committed with it: a commit costs more than a row. None suffers for another: if the database
    /// refuses what it is to write, each row is tried by itself. It runs again as in
    /// [`write`](Self::write).
    pub async fn write_row<F, R>(
        &self,
        kind: &'static str,
        row: Row,
        write: F,
    ) -> Result<Option<Arc<QueryResult>>, Error>
    where
        F: Fn(Each, Vec<Row>) -> R + Copy + Send + Sync + 'static,
        R: Future<Output = Written> + Send + 'static,
    {
        again(async || {
            let writer = self.writer.clone();
            let write = async move |rows| each_or_alone(&writer, rows, write).await;
            let row = Numbered::new(&row);
            let written = self.together.writes.get(kind, row, write).await?;
            Ok(written.transpose()?)
        })
        .await
    }
}

async fn each_or_alone<R>(
    writer: &Each,
    mut rows: Vec<Numbered>,
    write: impl Fn(Each, Vec<Row>) -> R,
) -> Found<Numbered, Result<Arc<QueryResult>, DbErr>>
where
    R: Future<Output = Written>,
{
    // Who came first gets the lower number.
    rows.sort_unstable_by_key(|row| row.number);
    let values = rows.iter().map(|row| Arc::clone(&row.row)).collect();
    let refused = match write(writer.clone(), values).await {
        Ok(written) => {
            let written = rows.into_iter().zip(written);
            return Ok(written
                .filter_map(|(row, written)| Some((row, Ok(Arc::new(written?)))))
                .collect());
        }
        Err(error) => error,
    };
    if rows.len() == 1 || !fault::refuses_the_values(&refused) {
        return Err(refused);
    }
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        match write(writer.clone(), vec![Arc::clone(&row.row)]).await {
            Ok(written) => {
                let written = written.into_iter().next().flatten();
                all.extend(written.map(|written| (row, Ok(Arc::new(written)))));
            }
            Err(error) => all.push((row, Err(error))),
        }
    }
    Ok(all)
}

/// A row with the columns `id` and `reader`.
///
/// # Errors
/// It has none.
pub fn by_pair(row: QueryResult) -> Result<(Pair, Arc<QueryResult>), DbErr> {
    let pair = (row.try_get("", "id")?, row.try_get("", "reader")?);
    Ok((pair, Arc::new(row)))
}

/// A table of `rows`, whose values are integers, texts and booleans, none of them null: one text for
/// however many rows.
#[must_use]
pub fn table<R: AsRef<[Value]>>(
    backend: DbBackend,
    columns: &[&'static str],
    rows: &[R],
) -> SelectStatement {
    let mut table = Query::select();
    if backend == DbBackend::Sqlite {
        let row = |row: &R| row.as_ref().iter().map(sea_value_to_json_value).collect();
        let all: serde_json::Value = rows
            .iter()
            .map(row)
            .collect::<Vec<serde_json::Value>>()
            .into();
        for (place, column) in columns.iter().enumerate() {
            table.expr_as(Expr::cust(format!("value ->> {place}")), *column);
        }
        return table
            .from_function(Func::cust("json_each").arg(all.to_string()), "rows")
            .take();
    }
    for (place, column) in columns.iter().enumerate() {
        let values: Vec<Value> = rows
            .iter()
            .filter_map(|row| row.as_ref().get(place).cloned())
            .collect();
        let Some(kind) = values.first().map(Value::array_type) else {
            continue;
        };
        let array = Value::Array(kind, Some(values.into()));
        // Without the parentheses PostgreSQL would see how many there are, and plan anew for that.
        let hidden = Query::select().expr(Expr::value(array)).take();
        let hidden = SimpleExpr::SubQuery(None, Box::new(hidden.into()));
        table.expr_as(Func::cust("unnest").arg(hidden), *column);
    }
    table
}

impl Numbered {
    fn new(row: &Row) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            row: Arc::clone(row),
        }
    }
}

impl PartialEq for Numbered {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Numbered {}

impl Hash for Numbered {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}
