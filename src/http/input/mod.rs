//! Extractors for bodies, forms, query strings and path segments. A 422 reports all errors of an
//! input together.

mod body;
mod errors;
mod json;
mod members;
mod object;
mod path;
mod query;
mod rows;
mod streamed;

use entity::values::Invalid;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

pub(super) use body::Received;
pub use body::{Body, Form};
pub use errors::{BodyErrors, InputErrors, QueryErrors};
pub(super) use members::pairs;
pub use object::ObjectReader;
pub use path::{ExternalIdSegment, Id, PositionSegment};
pub use query::Query;
pub use rows::Rows;
pub use streamed::{MAX_STREAMED_BYTES, Member, Part, Parts, StreamedBody};

/// Parses `true` or `false`.
pub fn boolean(text: &str) -> Result<Option<bool>, Invalid> {
    match text.parse() {
        Ok(boolean) => Ok(Some(boolean)),
        Err(_) => Err(Invalid::new("type", "must be `true` or `false`")),
    }
}

/// Parses an RFC 3339 date-time in the UTC years 0 to 9999.
pub fn date_time(text: &str) -> Result<Option<OffsetDateTime>, Invalid> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|time| time.checked_to_offset(UtcOffset::UTC))
        .filter(|time| (0..=9999).contains(&time.year()))
        .map(Some)
        .ok_or_else(|| {
            Invalid::new(
                "type",
                "must be an RFC 3339 date-time such as `2026-11-21T06:00:42Z`",
            )
        })
}
