//! Types that accept only valid values.
//!
//! Each type has one rule and one database mapping. `parse`, the OpenAPI schema and `Deserr` share
//! the rule. Values from the database are not checked: the constraints of the schema apply there. SQLite
//! gives some of them as JSON, for which `Deserialize` is.

/// Implements `Deserr` and the OpenAPI schema of a type. `$read` is [`read_text`], [`read_integer`]
/// or `read_sequence`; it calls the `parse` of the type.
macro_rules! input_value {
    ($name:ident, $read:ident, $schema:expr) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $schema.into()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl<E: crate::values::InputError> deserr::Deserr<E> for $name {
            fn deserialize_from_value<V: deserr::IntoValue>(
                value: deserr::Value<V>,
                location: deserr::ValuePointerRef<'_>,
            ) -> Result<Self, E> {
                crate::values::$read(value, location, Self::parse)
            }
        }
    };
}

mod blank;
mod event;
mod id;
mod idempotency;
mod metadata;
mod metadata_filter;
mod number;
mod password;
mod scope;
mod tag_cursor;
mod tags;
#[cfg(test)]
mod tests;
mod text;
mod webhook;

use std::fmt;

use deserr::{
    DeserializeError, Deserr, ErrorKind, IntoValue, MergeWithError, Sequence, Value, ValueKind,
    ValuePointerRef, take_cf_content,
};
use validator::ValidationError;

pub use event::{EventKind, EventKinds, EventPosition};
pub use id::{AuditEntryId, PostId, SessionId, TokenId, UserId, WebhookId};
pub use idempotency::{IdempotencyKey, KeyScope};
pub use metadata::Metadata;
pub use metadata_filter::{Literal, MetadataFilter, MetadataFilters};
pub use number::{FeedSkip, Limit, PostVersion, Skip, TokenLifetime};
pub use password::{ChosenPassword, Password, PresentedToken, RefreshToken};
pub use scope::{RequestedScopes, Scope, Scopes};
pub use tag_cursor::TagCursor;
pub use tags::Tags;
pub use text::*;
pub use webhook::{WebhookSecret, WebhookUrl};

/// The violations of an input, at least one. Messages do not repeat the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Invalid(Vec<ValidationError>);

impl Invalid {
    /// One violation: a `code` for programs and a `message` for people.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self(vec![
            ValidationError::new(code).with_message(message.into()),
        ])
    }

    /// The code and the message of each violation.
    pub fn violations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|violation| {
            let message = violation.message.as_deref().unwrap_or("is not valid");
            (violation.code.as_ref(), message)
        })
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (_, message)) in self.violations().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// The error of an input: it collects the violations of every member.
pub trait InputError: DeserializeError + MergeWithError<Invalid> {
    /// True if the format has only text values: a query string or a form.
    const TEXT: bool;
}

/// Reads text and parses it, for an implementation of `Deserr`.
pub fn read_text<T, E: InputError, V: IntoValue>(
    value: Value<V>,
    location: ValuePointerRef<'_>,
    parse: impl FnOnce(String) -> Result<T, Invalid>,
) -> Result<T, E> {
    match value {
        Value::String(text) => parse(text).map_err(|invalid| invalid_value(invalid, location)),
        other => Err(wrong_kind(other, &[ValueKind::String], location)),
    }
}

/// Reads a whole number and parses it, for an implementation of `Deserr`.
///
/// JSON has one type of number, so 1.0 is accepted as 1. Floats above 2^53 are rejected, because
/// they do not represent every whole number.
pub fn read_integer<T, E: InputError, V: IntoValue>(
    value: Value<V>,
    location: ValuePointerRef<'_>,
    parse: impl FnOnce(i64) -> Result<T, Invalid>,
) -> Result<T, E> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = match value {
        Value::Integer(number) => i64::try_from(number)
            .map_err(|_| Invalid::new("range", "must be a whole number of 64 bits")),
        Value::NegativeInteger(number) => Ok(number),
        Value::Float(number) if number.fract() == 0.0 && number.abs() <= EXACT => {
            #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
            let number = number as i64;
            Ok(number)
        }
        Value::String(text) if E::TEXT => number::decimal(&text).ok_or_else(|| {
            let message = "must be a whole number of 64 bits, without leading zeros";
            Invalid::new("type", message)
        }),
        other => return Err(wrong_kind(other, &[ValueKind::Integer], location)),
    };
    number
        .and_then(parse)
        .map_err(|invalid| invalid_value(invalid, location))
}

/// Reads a sequence of items and parses it. Errors of items have the location of the sequence.
fn read_sequence<Item: Deserr<E>, T, E: InputError, V: IntoValue>(
    value: Value<V>,
    location: ValuePointerRef<'_>,
    parse: impl FnOnce(&[Item]) -> Result<T, Invalid>,
) -> Result<T, E> {
    let items = match value {
        Value::Sequence(items) => items.into_iter(),
        other => return Err(wrong_kind(other, &[ValueKind::Sequence], location)),
    };
    let items = items.map(|item| Item::deserialize_from_value(item.into_value(), location));
    let items = items.collect::<Result<Vec<_>, E>>()?;
    parse(&items).map_err(|invalid| invalid_value(invalid, location))
}

fn invalid_value<E: InputError>(invalid: Invalid, location: ValuePointerRef<'_>) -> E {
    take_cf_content(E::merge(None, invalid, location))
}

fn wrong_kind<E: InputError, V: IntoValue>(
    actual: Value<V>,
    accepted: &[ValueKind],
    location: ValuePointerRef<'_>,
) -> E {
    let kind = ErrorKind::IncorrectValueKind { actual, accepted };
    take_cf_content(E::error(None, kind, location))
}
