//! Input: bodies, forms, query strings and path segments. Every fault of an input is reported at
//! once.

mod body;
mod errors;
mod members;
mod object;
mod path;
mod query;

use entity::values::Invalid;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

pub use body::{Body, Form};
pub use errors::{BodyErrors, InputErrors, QueryErrors};
pub(super) use members::pairs;
pub use object::Object;
pub use path::Id;
pub use query::Query;

/// Reads `true` or `false` from a query string.
pub fn boolean(text: &str) -> Result<Option<bool>, Invalid> {
    match text.parse() {
        Ok(boolean) => Ok(Some(boolean)),
        Err(_) => Err(Invalid::new("type", "must be `true` or `false`")),
    }
}

/// Reads a date-time of RFC 3339, in the years 0 to 9999 of UTC, from a query string.
pub fn date_time(text: &str) -> Result<Option<OffsetDateTime>, Invalid> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|time| time.checked_to_offset(UtcOffset::UTC))
        .filter(|time| (0..=9999).contains(&time.year()))
        .map(Some)
        .ok_or_else(|| {
            Invalid::new(
                "type",
                "must be a date-time of RFC 3339 such as `2026-11-21T06:00:42Z`",
            )
        })
}
