//! Subqueries.

use sea_orm::sea_query::{Expr, SelectStatement};

/// The value of `select`, which selects one column, as an expression.
#[must_use]
pub fn subquery(select: SelectStatement) -> Expr {
    Expr::SubQuery(None, Box::new(select.into()))
}
