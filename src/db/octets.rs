//! The lengths of texts.

use sea_orm::{
    ColumnTrait,
    sea_query::{Expr, Func},
};

/// The length of a text in bytes, as an integer of 32 bits on PostgreSQL, without reading the text: both
/// databases store it in the row. 0 for null.
pub fn octets(column: impl ColumnTrait) -> Expr {
    let length = Func::cust("octet_length").arg(Expr::col(column));
    if column.def().is_null() {
        return Func::coalesce([length.into(), Expr::value(0)]).into();
    }
    length.into()
}
