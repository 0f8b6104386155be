//! Filters of a list by metadata. Both databases find the same posts: a text must be equal, and a number must
//! be the same number, however it is spelt and however many digits it has.

use entity::{
    posts::COLUMN,
    values::{Literal, MetadataFilter},
};
use sea_orm::{
    ColumnTrait, Condition, DbBackend, IntoSimpleExpr,
    sea_query::{Expr, ExprTrait},
};
use serde_json::json;

/// True for posts with the member of `filter` in their metadata.
pub(super) fn condition(filter: &MetadataFilter, backend: DbBackend) -> Condition {
    let matches = match backend {
        DbBackend::Sqlite => sqlite(filter),
        _ => postgres(filter),
    };
    // The indexes have no other posts.
    Condition::all()
        .add(COLUMN.metadata.is_not_null())
        .add(matches)
}

/// For the GIN index, which knows only containment. `jsonb` compares numbers as decimals.
///
/// The value is a literal: with a parameter, PostgreSQL's plan for all values reads the posts one after another
/// until enough have the value, which takes seconds for a rare one.
fn postgres(filter: &MetadataFilter) -> Condition {
    let key = json!(filter.key());
    let contains = |value: &str| {
        let object = Expr::cust(format!(
            "'{}'",
            without_quotes(&format!("{{{key}: {value}}}"))
        ));
        let metadata = COLUMN.metadata.into_simple_expr();
        Expr::cust_with_exprs("CAST($1 AS jsonb) @> CAST($2 AS jsonb)", [metadata, object])
    };
    let literal = filter.literal().map(|_| contains(filter.value()));
    Condition::any()
        .add(contains(&json!(filter.value()).to_string()))
        .add_option(literal)
}

/// JSON without the characters that end a literal of SQL or mark a parameter. They occur only in strings.
fn without_quotes(json: &str) -> String {
    json.replace('\'', r"\u0027")
        .replace('$', r"\u0024")
        .replace('?', r"\u003f")
}

/// Reads the metadata of each post. A number has the same digits, apart from zeros at both ends, and about the
/// same size: it is then equal, also if it has more digits than a double.
fn sqlite(filter: &MetadataFilter) -> Condition {
    let with = |text: &'static str| {
        let metadata = COLUMN.metadata.into_simple_expr();
        let path = Expr::value(format!("$.\"{}\"", filter.key()));
        Expr::cust_with_exprs(text, [metadata, path])
    };
    let kind = || with("json_type(?, ?)");
    let text = with("? ->> ?").eq(filter.value());
    let literal = filter.literal().map(|literal| match literal {
        Literal::Name => kind().eq(filter.value()),
        Literal::Number { digits, bounds } => {
            let number = || with("? -> ?");
            let mantissa = Expr::cust_with_exprs(
                "trim(replace(replace(substr(?, 1, instr(lower(?) || 'e', 'e') - 1), '-', ''), '.', ''), '0')",
                [number(), number()],
            );
            let size = Expr::cust_with_exprs("CAST(? AS real)", [number()]);
            kind()
                .is_in(["integer", "real"])
                .and(mantissa.eq(digits))
                .and(size.between(bounds.0, bounds.1))
        }
    });
    Condition::any()
        .add(kind().eq("text").and(text))
        .add_option(literal)
}
