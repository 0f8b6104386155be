//! Members of bodies, forms and query strings.

use deserr::Deserr;
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::InputErrors;
use crate::{error::FieldError, http::Problem};

/// Reads `T` from the members of an object.
pub(super) fn read_members<T, const TEXT: bool>(
    members: Map<String, Value>,
) -> Result<T, Vec<FieldError>>
where
    T: Deserr<InputErrors<TEXT>>,
{
    deserr::deserialize::<T, _, InputErrors<TEXT>>(Value::Object(members))
        .map_err(InputErrors::into_sorted)
}

/// The names and values of `application/x-www-form-urlencoded`.
pub(in crate::http) fn pairs(bytes: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    // The parser would replace invalid UTF-8 by U+FFFD.
    if percent_decode(bytes).decode_utf8().is_err() {
        return Err(Problem::malformed("the form or query string is not UTF-8"));
    }
    serde_urlencoded::from_bytes(bytes)
        .map_err(|_| Problem::malformed("the form or query string cannot be read"))
}

/// Reads `T` from the pairs of a form or a query string. A known name that comes twice is a fault:
/// one of the values would silently win.
pub(super) fn read_pairs<T, const TEXT: bool>(
    pairs: Vec<(String, String)>,
) -> Result<T, Vec<FieldError>>
where
    T: Deserr<InputErrors<TEXT>>,
{
    let mut members = Map::new();
    let mut repeated = Vec::new();
    for (name, value) in pairs {
        if members.contains_key(&name) {
            // No single value is read from an array, so that a known name becomes a fault.
            members.insert(name.clone(), Value::Array(Vec::new()));
            repeated.push(name);
        } else {
            members.insert(name, Value::String(value));
        }
    }
    read_members(members).map_err(|mut errors| {
        for error in &mut errors {
            if repeated.contains(&error.field) {
                *error = FieldError::new(&*error.field, "duplicate", "must be given once");
            }
        }
        errors
    })
}
