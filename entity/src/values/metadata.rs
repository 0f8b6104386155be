//! The metadata of a post.

use std::{collections::HashSet, fmt};

use sea_orm::DeriveValueType;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::json;
use utoipa::openapi::{
    ObjectBuilder,
    schema::{AdditionalProperties, Type},
};

use super::Invalid;

/// A JSON object of the owner, as it was sent: with its white space, the order of its members and the
/// spelling of its numbers.
///
/// It has nothing that a database would refuse or change: no U+0000, no half of a surrogate pair, no
/// member twice, no number outside the range of a double.
#[derive(Clone, Debug, PartialEq, Eq, Hash, DeriveValueType)]
#[sea_orm(column_type = "Text")]
pub struct Metadata(String);

impl Metadata {
    /// Maximum size, in bytes as sent.
    pub const MAX_BYTES: usize = 4_096;
    /// Maximum number of values: objects, arrays and scalars, the outermost object included. Each can
    /// be an entry of PostgreSQL's index.
    const MAX_VALUES: usize = 256;
    /// Maximum number of objects and arrays inside of each other, the outermost object included.
    const MAX_DEPTH: usize = 16;

    /// Checks `text`, which is valid JSON.
    pub fn parse(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        if !text.starts_with('{') {
            return Err(Invalid::new("type", "must be a JSON object"));
        }
        if text.len() > Self::MAX_BYTES {
            let message = format!("must be at most {} bytes of JSON", Self::MAX_BYTES);
            return Err(Invalid::new("length", message));
        }
        if !numbers(&text).all(is_in_range) {
            return Err(Invalid::new(
                "range",
                "must have no number outside the range of a double: 2.3e-308 to 1.7e308, and 0",
            ));
        }
        let mut check = Check {
            left: Self::MAX_VALUES,
            fault: None,
        };
        let mut json = serde_json::Deserializer::from_str(&text);
        let node = Node {
            check: &mut check,
            depth: 1,
        };
        match (node.deserialize(&mut json), check.fault) {
            (Ok(()), _) => Ok(Self(text)),
            (Err(_), Some(fault)) => Err(fault),
            // Of valid JSON, the parser refuses nothing else.
            (Err(_), None) => Err(Invalid::new(
                "format",
                "must have no half of a surrogate pair, such as `\\ud800`",
            )),
        }
    }

    /// The JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

input_value!(
    Metadata,
    read_text,
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .examples([json!({"station": "7", "celsius": 21.5})])
);

/// What was found so far.
struct Check {
    left: usize,
    fault: Option<Invalid>,
}

impl Check {
    fn fail<E: Error>(&mut self, code: &'static str, message: impl Into<String>) -> E {
        self.fault = Some(Invalid::new(code, message.into()));
        E::custom(code)
    }

    fn text<E: Error>(&mut self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            return Err(self.fail("nul", "must not contain U+0000"));
        }
        Ok(())
    }
}

/// A value of the metadata.
struct Node<'a> {
    check: &'a mut Check,
    depth: usize,
}

impl Node<'_> {
    fn inner<E: Error>(&mut self) -> Result<Node<'_>, E> {
        if self.depth > Metadata::MAX_DEPTH {
            let message = format!("must be at most {} levels deep", Metadata::MAX_DEPTH);
            return Err(self.check.fail("length", message));
        }
        Ok(Node {
            check: &mut *self.check,
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Some(left) = self.check.left.checked_sub(1) else {
            let message = format!("must have at most {} values", Metadata::MAX_VALUES);
            return Err(self.check.fail("length", message));
        };
        self.check.left = left;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.check.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(self.inner()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = object.next_key::<String>()? {
            self.check.text(&name)?;
            if !names.insert(name) {
                let message = "must not contain a member twice";
                return Err(self.check.fail("duplicate", message));
            }
            object.next_value_seed(self.inner()?)?;
        }
        Ok(())
    }
}

/// The numbers in `json`, which is valid.
fn numbers(json: &str) -> impl Iterator<Item = &str> {
    let (mut in_string, mut escaped) = (false, false);
    let outside = json.split(move |character| {
        let is_in_number =
            !in_string && matches!(character, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        !is_in_number
    });
    // The others are the letter `e` of `true` and `false`.
    outside.filter(|part| part.contains(|character: char| character.is_ascii_digit()))
}

/// True if both databases can store and compare `number`: it is zero or a normal double. Its exponent has
/// at most four digits, also that of zero.
pub(super) fn is_in_range(number: &str) -> bool {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, ""));
    let is_zero = !mantissa.contains(|digit| matches!(digit, '1'..='9'));
    let fits = number.parse::<f64>().is_ok_and(f64::is_normal);
    exponent.trim_start_matches(['+', '-']).len() <= 4 && (is_zero || fits)
}

#[cfg(test)]
mod tests {
    use super::{Metadata, numbers};

    fn code(text: &str) -> Option<String> {
        let invalid = Metadata::parse(text).err()?;
        invalid.violations().next().map(|(code, _)| code.to_owned())
    }

    #[test]
    fn metadata_that_both_databases_store_is_accepted_as_it_is() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(15), "]".repeat(15));
        let long = format!("{{\"a\": \"{}\"}}", "x".repeat(Metadata::MAX_BYTES - 9));
        let many = format!("{{\"a\": [{}0]}}", "0,".repeat(253));
        let digits = format!("{{\"a\": 0.{}1}}", "0".repeat(300));
        for text in [
            "{}",
            r#"{"b": 1.0, "a": [1e2, -0, 0.1000000000000000000000001]}"#,
            r#"{"a": 123456789012345678901234567890, "": null, "1e999": "1e999\"1e999"}"#,
            r#"{"a": "\ud83e\udd80", "b": [true, false, {}]}"#,
            "{\"a\": 1.7976931348623157e308, \"b\": 2.3e-308, \"c\": 0e-9999, \"d\": -1E+2}",
            &deep,
            &long,
            &many,
            &digits,
        ] {
            let metadata = Metadata::parse(text).map(|metadata| metadata.as_str().to_owned());
            assert_eq!(metadata.as_deref(), Ok(text));
        }
    }

    #[test]
    fn metadata_that_a_database_would_refuse_or_change_is_refused() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(16), "]".repeat(16));
        let long = format!("{{\"a\": \"{}\"}}", "x".repeat(Metadata::MAX_BYTES - 8));
        let many = format!("{{\"a\": [{}0]}}", "0,".repeat(254));
        for (text, expected) in [
            ("[]", "type"),
            (r#""{}""#, "type"),
            (&*deep, "length"),
            (&*long, "length"),
            (&*many, "length"),
            (r#"{"a": 1e309}"#, "range"),
            (r#"{"a": [-1e309]}"#, "range"),
            (r#"{"a": 1e-308}"#, "range"),
            (r#"{"a": 1e-400}"#, "range"),
            (r#"{"a": 0e-99999}"#, "range"),
            (r#"{"a": "\u0000"}"#, "nul"),
            (r#"{"\u0000": 1}"#, "nul"),
            (r#"{"a": "\ud800"}"#, "format"),
            (r#"{"a": "\udc00"}"#, "format"),
            (r#"{"a": 1, "\u0061": 2}"#, "duplicate"),
            (r#"{"a": [{"b": 1, "b": 1}]}"#, "duplicate"),
        ] {
            assert_eq!(code(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn numbers_are_those_outside_of_texts() {
        let json = r#"{"a1": [1, -2.5e+3,true], "b\"2": "3", "c": false, "d": 0}"#;
        assert_eq!(numbers(json).collect::<Vec<_>>(), ["1", "-2.5e+3", "0"]);
    }
}
