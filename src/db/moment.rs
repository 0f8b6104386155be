//! Moments that compare as time passes.

use sea_orm::{
    DbBackend,
    sea_query::{Expr, Func},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// `column` and `moment` in a form in which they compare; an index has the same form of
/// `posts.created_at`.
///
/// SQLite keeps the text of RFC 3339 in UTC without trailing zeros, of which a `Z` behind a whole
/// second is greater than the dot of a fraction: it is taken off.
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
