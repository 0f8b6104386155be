//! Parses JSON, bounds the number of its values, and notices members that occur twice. `serde_json`
//! itself has no such bound, and keeps the last of two members.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, map::Entry, value::RawValue};

use crate::error::FieldError;

/// Maximum number of values of a document: objects, arrays and scalars, the outermost one included.
///
/// However short its text is, a value can take 670 bytes of memory: an object with one member. So the
/// values of a document take up to 20 MB, and those of a body of 1 MiB would take 130 MB without the
/// bound.
pub(super) const MAX_VALUES: usize = 30_000;
/// The member that is kept as it was sent, wherever it occurs. Its value becomes a text of its JSON, unless
/// it is null.
pub(super) const VERBATIM: &str = "metadata";
/// Maximum number of repeated members that are reported, because the client chooses their names.
const MAX_REPEATED: usize = 10;
/// Maximum length of a reported name, in characters.
const MAX_NAME: usize = 100;

/// The reason why a document cannot be parsed.
#[derive(Debug)]
pub(super) enum ParseError {
    /// It is not JSON in UTF-8, or nested deeper than 127 levels.
    Malformed(serde_json::Error),
    /// It has more than [`MAX_VALUES`] values.
    TooManyValues,
}

/// Parses `bytes`. The result has an error for each member of the outermost object that occurs twice
/// or contains such a member.
///
/// # Errors
/// If `bytes` is not JSON, or has too many values. The parser stops at the first of both.
pub(super) fn parse(bytes: &[u8]) -> Result<(Value, Vec<FieldError>), ParseError> {
    let (mut repeated, mut left) = (Vec::new(), MAX_VALUES);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = JsonValue {
        repeated: &mut repeated,
        left: &mut left,
    };
    let value = value.deserialize(&mut json);
    let value = value.and_then(|value| json.end().map(|()| value));
    match value {
        Ok(value) => Ok((value, repeated)),
        // The error of `JsonValue`. It accepts every value, so there is no other of this category.
        Err(error) if error.is_data() => Err(ParseError::TooManyValues),
        Err(error) => Err(ParseError::Malformed(error)),
    }
}

/// Reads a value, and adds an error for each repeated member in it to `repeated`.
struct JsonValue<'a> {
    repeated: &'a mut Vec<FieldError>,
    /// The number of values that the document may still have.
    left: &'a mut usize,
}

impl JsonValue<'_> {
    fn count<E: Error>(&mut self) -> Result<(), E> {
        let left = self.left.checked_sub(1);
        *self.left = left.ok_or_else(|| E::custom("too many values"))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for JsonValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for JsonValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let Self { repeated, left } = self;
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(JsonValue { repeated, left })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let mut inside = Vec::new();
            let seed = JsonValue {
                repeated: &mut inside,
                left: self.left,
            };
            let value = if name == VERBATIM {
                object.next_value_seed(Verbatim(seed))?
            } else {
                object.next_value_seed(seed)?
            };
            match members.entry(name) {
                Entry::Occupied(first) => {
                    note(self.repeated, first.key(), "must occur only once");
                }
                Entry::Vacant(entry) => {
                    if !inside.is_empty() {
                        note(
                            self.repeated,
                            entry.key(),
                            "must not contain a member twice",
                        );
                    }
                    entry.insert(value);
                }
            }
        }
        Ok(Value::Object(members))
    }
}

/// Reads a value as its JSON. It counts as one value of the document.
struct Verbatim<'a>(JsonValue<'a>);

impl<'de> DeserializeSeed<'de> for Verbatim<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.0.count()?;
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Ok(match json.get() {
            "null" => Value::Null,
            json => json.into(),
        })
    }
}

/// Adds an error with the start of `name`, unless `repeated` has one.
fn note(repeated: &mut Vec<FieldError>, name: &str, message: &str) {
    let end = name.char_indices().nth(MAX_NAME);
    let name = end.map_or(name, |(end, _)| name.split_at(end).0);
    if repeated.len() < MAX_REPEATED && repeated.iter().all(|other| other.field != name) {
        repeated.push(FieldError::new(name, "duplicate", message));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{MAX_NAME, MAX_REPEATED, MAX_VALUES, ParseError, parse};

    fn repeated(text: &str) -> Vec<String> {
        let (_, errors) = parse(text.as_bytes()).unwrap();
        errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn a_value_is_the_same_as_that_of_serde_json() {
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for text in [
            r#"{"a": [null, true, 1, -1, 1.5, 1e300, "\u00e4\n", {"b": {}}], "": 18446744073709551615}"#,
            "-9223372036854775809",
            "\"text\"",
            &deep(127),
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes()).unwrap(), (expected, Vec::new()));
        }
        for text in [
            &b""[..],
            b"{",
            b"{} {}",
            b"[1,]",
            b"\"\xff\"",
            b"{\"\xff\": 1}",
            b"\"\\ud800\"",
            b"1e999",
            deep(128).as_bytes(),
        ] {
            let expected = serde_json::from_slice::<Value>(text).unwrap_err();
            let error = parse(text).unwrap_err();
            assert!(
                matches!(&error, ParseError::Malformed(error) if error.to_string() == expected.to_string()),
                "{error:?}"
            );
        }
    }

    #[test]
    fn metadata_is_kept_as_it_was_sent() {
        for json in [
            "{ \"b\" : 1.0,\n\"a\":[1e2, \"\\u00e4\"] }",
            r#"{"a": 1, "a": 2}"#,
            r#""{}""#,
            "1e999",
        ] {
            let text = format!("{{\"posts\": [{{\"metadata\": {json} }}]}}");
            let (value, repeated) = parse(text.as_bytes()).unwrap();
            assert_eq!(value["posts"][0]["metadata"], json);
            assert!(repeated.is_empty());
        }
        let (value, _) = parse(br#"{"metadata": null}"#).unwrap();
        assert_eq!(value["metadata"], Value::Null);
        for text in [&br#"{"metadata": {"a"}}"#[..], b"{\"metadata\": \"\xff\"}"] {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, ParseError::Malformed(_)), "{error:?}");
        }
    }

    #[test]
    fn repeated_members_have_the_name_of_the_outermost_one() {
        for (text, names) in [
            (
                r#"{"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]}"#,
                &[][..],
            ),
            (r#"{"a": 1, "b": 2, "a": 1, "a": 1, "b": 2}"#, &["a", "b"]),
            (r#"{"a": 1, "\u0061": 2}"#, &["a"]),
            (r#"{"a": {"b": 1, "b": 2}}"#, &["a"]),
            (r#"{"a": [[], [{"b": {"c": 1, "c": 2}}]]}"#, &["a"]),
        ] {
            assert_eq!(repeated(text), names, "{text}");
        }
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        let many = |items| format!("{{\"a\": [{}0]}}", "{\"\": 0}, ".repeat(items));
        // The object, the array, two values for each item, and the last one.
        let max = (MAX_VALUES - 3) / 2;
        assert!(parse(many(max).as_bytes()).is_ok());
        let error = parse(many(max + 1).as_bytes()).unwrap_err();
        assert!(matches!(error, ParseError::TooManyValues), "{error:?}");
    }

    #[test]
    fn the_reported_names_are_bounded() {
        let long = "\u{e4}".repeat(MAX_NAME + 1);
        let many: Vec<_> = (0..100)
            .map(|n| format!("\"{n}\": 1, \"{n}\": 2"))
            .collect();
        let text = format!("{{\"{long}\": 1, \"{long}\": 2, {}}}", many.join(", "));
        let names = repeated(&text);
        assert_eq!(names.len(), MAX_REPEATED);
        assert_eq!(names[0], "\u{e4}".repeat(MAX_NAME));
    }
}
