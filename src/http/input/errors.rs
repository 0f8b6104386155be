//! Converts deserialization errors to the `errors` member of problem details.

use std::ops::ControlFlow;

use deserr::{DeserializeError, ErrorKind, IntoValue, MergeWithError, ValueKind, ValuePointerRef};
use entity::values::{InputError, Invalid};

use crate::error::FieldError;

/// All errors of an input. `TEXT` is true if every value is a string, as in a query string.
#[derive(Debug, Default)]
pub struct InputErrors<const TEXT: bool>(Vec<FieldError>);

/// The errors of a JSON body or form.
pub type BodyErrors = InputErrors<false>;
/// The errors of a query string.
pub type QueryErrors = InputErrors<true>;

impl<const TEXT: bool> InputErrors<TEXT> {
    /// The errors, sorted by field and code.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<FieldError> {
        self.0
            .sort_by(|a, b| (&a.field, &a.code).cmp(&(&b.field, &b.code)));
        self.0
    }

    /// Replaces the errors of the fields in `others` by `others`.
    pub(super) fn replaced_by(mut self, others: Vec<FieldError>) -> Self {
        self.0
            .retain(|error| others.iter().all(|other| other.field != error.field));
        self.0.extend(others);
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn append(other: Option<Self>, error: FieldError) -> ControlFlow<Self, Self> {
        let mut all = other.map_or_else(Vec::new, |other| other.0);
        all.push(error);
        ControlFlow::Continue(Self(all))
    }
}

impl<const TEXT: bool> InputError for InputErrors<TEXT> {
    const TEXT: bool = TEXT;
}

impl<const TEXT: bool> DeserializeError for InputErrors<TEXT> {
    fn error<V: IntoValue>(
        other: Option<Self>,
        error: ErrorKind<'_, V>,
        location: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        let (code, message) = match error {
            ErrorKind::MissingField { field } => {
                let field = path(location.push_key(field));
                return Self::append(other, FieldError::new(field, "required", "is required"));
            }
            ErrorKind::IncorrectValueKind { accepted, .. } => {
                ("type", format!("must be {}", kind_name(accepted)))
            }
            ErrorKind::UnknownValue { accepted, .. } => {
                ("unknown_value", format!("must be {}", one_of(accepted)))
            }
            ErrorKind::BadSequenceLen { expected, .. } => {
                ("length", format!("must be {expected} items"))
            }
            // Never raised: unknown members are ignored, and no deserializer sends its own message.
            ErrorKind::UnknownKey { .. } | ErrorKind::Unexpected { .. } => {
                ("type", "is not valid".to_owned())
            }
        };
        Self::append(other, FieldError::new(path(location), code, message))
    }
}

impl<const TEXT: bool> MergeWithError<Self> for InputErrors<TEXT> {
    fn merge(other: Option<Self>, more: Self, _: ValuePointerRef<'_>) -> ControlFlow<Self, Self> {
        let mut all = other.map_or_else(Vec::new, |other| other.0);
        all.extend(more.0);
        ControlFlow::Continue(Self(all))
    }
}

impl<const TEXT: bool> MergeWithError<Invalid> for InputErrors<TEXT> {
    fn merge(
        other: Option<Self>,
        invalid: Invalid,
        location: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        let mut all = other.map_or_else(Vec::new, |other| other.0);
        all.extend(FieldError::all(&path(location), &invalid));
        ControlFlow::Continue(Self(all))
    }
}

/// The path of a field, such as `title` or `posts[3].title`.
fn path(location: ValuePointerRef<'_>) -> String {
    match location {
        ValuePointerRef::Origin => String::new(),
        ValuePointerRef::Key { key, prev } if prev.is_origin() => key.to_owned(),
        ValuePointerRef::Key { key, prev } => format!("{}.{key}", path(*prev)),
        ValuePointerRef::Index { index, prev } => format!("{}[{index}]", path(*prev)),
    }
}

fn kind_name(accepted: &[ValueKind]) -> &'static str {
    match accepted.first() {
        Some(ValueKind::String) => "a string",
        Some(ValueKind::Boolean) => "a boolean",
        Some(ValueKind::Sequence) => "an array",
        Some(ValueKind::Map) => "a JSON object",
        Some(ValueKind::Integer | ValueKind::NegativeInteger) => "a whole number of 64 bits",
        Some(ValueKind::Float) => "a number",
        Some(ValueKind::Null) | None => "another value",
    }
}

/// Lists the accepted values: `a`; `a` or `b`; one of `a`, `b`, `c`.
fn one_of(accepted: &[&str]) -> String {
    let quoted: Vec<String> = accepted.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [one] => one.clone(),
        [one, other] => format!("{one} or {other}"),
        many => format!("one of {}", many.join(", ")),
    }
}
