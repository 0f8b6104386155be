//! The rows of a request that writes many of them.

use deserr::{
    DeserializeError, Deserr, ErrorKind, IntoValue, MergeWithError, Sequence, Value, ValueKind,
    ValuePointerRef, take_cf_content,
};
use entity::values::Invalid;

use super::BodyErrors;
use crate::{error::FieldError, http::problem::MAX_ROW_ERRORS};

/// 1 to 1,000 rows. An invalid row has its errors instead of a value, so that it need not fail the others. The
/// fields of these errors are relative to the row.
#[derive(Debug)]
pub struct Rows<T>(pub Vec<Result<T, Vec<FieldError>>>);

/// Maximum number of rows of a request.
pub const MAX_ROWS: usize = 1_000;
// A problem names each of them.
const _: () = assert!(MAX_ROWS <= MAX_ROW_ERRORS);

impl<T: Deserr<BodyErrors>> Deserr<BodyErrors> for Rows<T> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, BodyErrors> {
        let rows = match value {
            Value::Sequence(rows) => rows,
            actual => {
                let accepted = &[ValueKind::Sequence];
                let error = ErrorKind::IncorrectValueKind { actual, accepted };
                return Err(take_cf_content(BodyErrors::error(None, error, location)));
            }
        };
        if !(1..=MAX_ROWS).contains(&rows.len()) {
            let invalid = Invalid::new("length", format!("must be 1 to {MAX_ROWS} rows"));
            return Err(take_cf_content(BodyErrors::merge(None, invalid, location)));
        }
        let row = |row: V| {
            let row = T::deserialize_from_value(row.into_value(), ValuePointerRef::Origin);
            row.map_err(BodyErrors::into_sorted)
        };
        Ok(Self(rows.into_iter().map(row).collect()))
    }
}
