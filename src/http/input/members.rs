//! Deserializes the members of bodies, forms and query strings.

use deserr::Deserr;
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::{BodyErrors, InputErrors, json::VERBATIM};
use crate::{error::FieldError, http::Problem};

/// Deserializes `T` from the members of a JSON object. Every repeated member is an error, also an
/// unknown one: parsers differ in the value that they use (RFC 8259, section 4).
pub(super) fn read_object<T: Deserr<BodyErrors>>(
    members: Map<String, Value>,
    repeated: Vec<FieldError>,
) -> Result<T, Vec<FieldError>> {
    let read = read_members(members);
    if repeated.is_empty() {
        return read.map_err(InputErrors::into_sorted);
    }
    let errors = read.err().unwrap_or_default();
    Err(errors.replaced_by(repeated).into_sorted())
}

fn read_members<T, const TEXT: bool>(members: Map<String, Value>) -> Result<T, InputErrors<TEXT>>
where
    T: Deserr<InputErrors<TEXT>>,
{
    deserr::deserialize(Value::Object(members))
}

/// Parses `application/x-www-form-urlencoded` into names and values.
pub(in crate::http) fn pairs(bytes: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    // The parser replaces invalid UTF-8 with U+FFFD.
    if percent_decode(bytes).decode_utf8().is_err() {
        return Err(Problem::malformed("the form or query string is not UTF-8"));
    }
    serde_urlencoded::from_bytes(bytes)
        .map_err(|_| Problem::malformed("the form or query string cannot be parsed"))
}

/// Deserializes `T` from the pairs of a form or query string. A repeated known name is an error,
/// because the choice of one of its values would be arbitrary. Names such as `metadata.KEY` are members of
/// an object `metadata`.
pub(super) fn read_pairs<T, const TEXT: bool>(
    pairs: Vec<(String, String)>,
) -> Result<T, Vec<FieldError>>
where
    T: Deserr<InputErrors<TEXT>>,
{
    let mut members = Map::new();
    let mut filters = Map::new();
    let mut repeated = Vec::new();
    for (name, value) in pairs {
        let key = name.strip_prefix(VERBATIM);
        let key = key.and_then(|rest| rest.strip_prefix('.'));
        let (object, key) = match key {
            Some(key) => (&mut filters, key),
            None => (&mut members, &*name),
        };
        if object.contains_key(key) {
            // No member of a form accepts an array, so a known name is now an error.
            object.insert(key.to_owned(), Value::Array(Vec::new()));
            repeated.push(name);
        } else {
            object.insert(key.to_owned(), Value::String(value));
        }
    }
    if !filters.is_empty() {
        members.insert(VERBATIM.to_owned(), Value::Object(filters));
    }
    read_members(members).map_err(|errors: InputErrors<TEXT>| {
        let mut errors = errors.into_sorted();
        for error in &mut errors {
            if repeated.contains(&error.field) {
                *error = FieldError::new(&*error.field, "duplicate", "must occur only once");
            }
        }
        errors
    })
}
