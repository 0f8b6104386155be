//! From the members of a body or a query string to a checked value: every fault is found, not just
//! the first.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use validator::{Validate, ValidationError, ValidationErrors};

use crate::error::Fault;

/// What a client may send. Deserialises with `#[serde(default)]`, so that what is missing is not
/// an error of serde's; [`Request::REQUIRED`] says what may not be missing.
pub trait Request: DeserializeOwned + Validate {
    /// Members without which the request is refused.
    const REQUIRED: &'static [&'static str] = &[];
    /// Older names of members, each with the name that it stands for when that one is missing.
    const ALIASES: &'static [(&'static str, &'static str)] = &[];
    /// Whether HTML forms are read beside JSON.
    const FORMS: bool = false;

    /// What is wrong with members only beside one another.
    fn together(&self) -> Vec<Fault> {
        Vec::new()
    }
}

/// What a body can be read as: every [`Request`], and what chooses between some.
pub trait Read: Sized {
    /// Whether HTML forms are read beside JSON.
    const FORMS: bool;

    /// Reads it from `members`.
    ///
    /// # Errors
    /// One [`Fault`] for each thing that is wrong; none repeats a value that was sent.
    fn read(members: Map<String, Value>) -> Result<Self, Vec<Fault>>;
}

impl<T: Request> Read for T {
    const FORMS: bool = T::FORMS;

    fn read(members: Map<String, Value>) -> Result<Self, Vec<Fault>> {
        read(members)
    }
}

/// Reads a [`Read`] from the names and values of a form or a query string.
///
/// # Errors
/// As those of [`Read::read`], and one for each known name that comes twice: a second value would
/// silently win or lose.
pub fn read_pairs<T: Read>(pairs: Vec<(String, String)>) -> Result<T, Vec<Fault>> {
    let mut members = Map::new();
    let mut repeated = Vec::new();
    for (name, value) in pairs {
        if members.contains_key(&name) {
            // No type of a single value reads it, and a name that nobody knows does not matter.
            members.insert(name.clone(), Value::Array(Vec::new()));
            repeated.push(name);
        } else {
            members.insert(name, Value::String(value));
        }
    }
    T::read(members).map_err(|mut faults| {
        for fault in &mut faults {
            if repeated.contains(&fault.field) {
                *fault = Fault::new(&*fault.field, "duplicate", "must be given once");
            }
        }
        faults
    })
}

fn read<T: Request>(mut members: Map<String, Value>) -> Result<T, Vec<Fault>> {
    for &(alias, name) in T::ALIASES {
        if let Some(value) = members.remove(alias) {
            members.entry(name).or_insert(value);
        }
    }
    members.values_mut().for_each(whole);
    let mut faults: Vec<Fault> = T::REQUIRED
        .iter()
        .filter(|&&name| !members.contains_key(name))
        .map(|&name| Fault::new(name, "required", "is required"))
        .collect();
    let value = loop {
        // serde stops at the first fault: note it, take the member out, and read again.
        let error = match serde_path_to_error::deserialize::<_, T>(Value::Object(members.clone())) {
            Ok(value) => break value,
            Err(error) => error,
        };
        let path = error.path().to_string();
        let member = path.split(['.', '[']).next().unwrap_or_default();
        let known = members.remove(member).is_some();
        faults.push(of_serde(member, &error.into_inner().to_string()));
        if !known {
            return Err(faults);
        }
    };
    let mut more = Vec::new();
    if let Err(errors) = value.validate() {
        more.push(of_validator(&errors));
    }
    more.push(value.together());
    for found in more {
        let fresh = found
            .into_iter()
            .filter(|fault| faults.iter().all(|known| known.field != fault.field))
            .collect::<Vec<_>>();
        faults.extend(fresh);
    }
    if faults.is_empty() {
        return Ok(value);
    }
    faults.sort_by(|a, b| (&a.field, &a.code).cmp(&(&b.field, &b.code)));
    Err(faults)
}

/// JSON has one kind of number: 1.0 is 1.
fn whole(value: &mut Value) {
    let Some(number) = value.as_f64().filter(|_| value.is_f64()) else {
        return;
    };
    // Beyond 2^53 a float does not tell which whole number was meant.
    if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it has no fraction and fits"
        )]
        let number = number as i64;
        *value = number.into();
    }
}

/// serde's messages repeat the value before `expected`, so only what stands behind it is told.
fn of_serde(field: &str, message: &str) -> Fault {
    if message.starts_with("must ") {
        return Fault::new(field, "type", message);
    }
    let code = if message.starts_with("unknown variant") {
        "unknown_value"
    } else if message.starts_with("invalid value") {
        "range"
    } else {
        "type"
    };
    let expected = message.rsplit_once("expected ").map_or("valid", |(_, e)| e);
    let expected = match expected {
        "i64" => "a whole number of 64 bits",
        other => other,
    };
    Fault::new(field, code, format!("must be {expected}"))
}

fn of_validator(errors: &ValidationErrors) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (field, errors) in errors.field_errors() {
        let of_field = errors
            .iter()
            .map(|error| Fault::new(field.as_ref(), error.code.as_ref(), sentence(error)));
        faults.extend(of_field);
    }
    faults
}

/// `params` holds the refused value too, which must not be told: it may be a password.
fn sentence(error: &ValidationError) -> String {
    if let Some(message) = &error.message {
        return message.clone().into_owned();
    }
    let bound = |name: &str| error.params.get(name).map(ToString::to_string);
    let what = if error.code == "length" {
        " characters"
    } else {
        ""
    };
    match (bound("min"), bound("max")) {
        (Some(min), Some(max)) => format!("must be {min} to {max}{what}"),
        (None, Some(max)) => format!("must be at most {max}{what}"),
        (Some(min), None) => format!("must be at least {min}{what}"),
        (None, None) => "is not valid".to_owned(),
    }
}
