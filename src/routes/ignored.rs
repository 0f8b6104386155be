//! Members of requests that the service checks and does not use.

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use entity::values::{InputError, Invalid, read_text};

/// A text that the service accepts and does not keep.
pub(super) struct IgnoredText;

impl IgnoredText {
    /// Maximum length in characters.
    const MAX: usize = 1000;
}

impl<E: InputError> Deserr<E> for IgnoredText {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        read_text(value, location, |text| {
            if text.chars().count() <= Self::MAX {
                return Ok(Self);
            }
            let message = format!("must be at most {} characters", Self::MAX);
            Err(Invalid::new("length", message))
        })
    }
}
