//! LIMIT and OFFSET as literals.

use sea_orm::Statement;

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
