//! Points in time, in a form that can be compared in SQL.

use sea_orm::{
    DbBackend,
    sea_query::{Expr, Func},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// `column` and `moment` as expressions that SQL can compare. `posts.created_at` has an index on
/// this expression.
///
/// SQLite stores RFC 3339 text in UTC without trailing zeros. A `Z` after whole seconds would sort
/// after the dot of a fraction, so it is removed.
#[must_use]
pub fn comparable(backend: DbBackend, column: Expr, moment: OffsetDateTime) -> (Expr, Expr) {
    match (backend, moment.format(&Rfc3339)) {
        (DbBackend::Sqlite, Ok(text)) => {
            let column = Func::cust("rtrim")
                .arg(column)
                .arg(Expr::Constant("Z".into()));
            (column.into(), Expr::value(text.trim_end_matches('Z')))
        }
        _ => (column, Expr::value(moment)),
    }
}
