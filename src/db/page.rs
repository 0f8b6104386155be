//! Pages of a statement, and columns added to its rows.

use sea_orm::{
    DbBackend, Statement,
    sea_query::{Expr, Query},
};

/// Appends `LIMIT limit OFFSET skip` to `statement`.
///
/// Both are literals. A bound LIMIT halves the speed of a list, because the planner does not know
/// its value. Statements with a rare `skip` are the first to leave the connection's statement cache.
#[must_use]
pub fn page(mut statement: Statement, limit: u64, skip: u64) -> Statement {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let _ = write!(statement.sql, " LIMIT {limit}");
    if skip > 0 {
        let _ = write!(statement.sql, " OFFSET {skip}");
    }
    statement
}

/// Counts the rows of `statement`, but no more than `max` of them.
#[must_use]
pub fn count_up_to(statement: Statement, max: u64) -> Statement {
    let mut statement = page(statement, max, 0);
    statement.sql = format!("SELECT count(*) FROM ({}) AS counted", statement.sql);
    statement
}

/// Adds `column` as `name` to the rows of `statement`. In `column` those rows are a table `rows`.
///
/// The column is computed for these rows alone. Inside the statement, SQLite would compute it for
/// every row that it sorts before it applies the LIMIT.
#[must_use]
pub fn with_column(statement: Statement, rows: &str, column: Expr, name: &str) -> Statement {
    let backend = statement.db_backend;
    let (first, second) = match backend {
        DbBackend::Postgres => ("$1", "$2"),
        _ => ("?", "?"),
    };
    let values = statement.values.into_iter().flatten();
    let of = Expr::cust_with_values(statement.sql, values);
    let text = format!("{rows}.*, {first} AS {name} FROM ({second}) AS {rows}");
    backend.build(Query::select().expr(Expr::cust_with_exprs(text, [column, of])))
}
