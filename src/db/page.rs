//! Statements round statements.

use sea_orm::{
    DbBackend, Statement,
    sea_query::{Expr, Query},
};

/// `statement` with `LIMIT limit OFFSET skip` behind it.
///
/// `limit` stands there as a number: bound as a parameter it costs half of a list's speed, because
/// the planner does not see it. `skip` does too, and statements with a rare one leave the
/// connection's statement cache first.
#[must_use]
pub fn page(mut statement: Statement, limit: u64, skip: u64) -> Statement {
    use std::fmt::Write;
    // Writing to a String does not fail.
    let _ = write!(statement.sql, " LIMIT {limit}");
    if skip > 0 {
        let _ = write!(statement.sql, " OFFSET {skip}");
    }
    statement
}

/// The rows of `statement`, which are called `rows` here, with another `column` as `name`.
///
/// It is found for these rows alone: in the statement itself, SQLite would find it for all that it
/// sorts before it cuts them off.
#[must_use]
pub fn beside(statement: Statement, rows: &str, column: Expr, name: &str) -> Statement {
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
