//! Filters of lists by metadata.

use deserr::{Deserr, IntoValue, Map, Value, ValueKind, ValuePointerRef};

use super::{InputError, Invalid, invalid_value, metadata::is_in_range, wrong_kind};

/// A filter of lists: posts whose metadata has the member `key` with `value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetadataFilter {
    key: String,
    value: String,
}

/// The value of a filter, if it is a literal of JSON. It then matches that as well as the equal text.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `true`, `false` or `null`.
    Name,
    /// A number.
    Number {
        /// The digits, without leading and trailing zeros.
        digits: String,
        /// Twice and half of the number; the lower one first. With `digits` they tell an equal number
        /// from any other, however many digits it has.
        bounds: (f64, f64),
    },
}

impl MetadataFilter {
    /// Maximum length of a key, in characters.
    const MAX_KEY: usize = 100;
    /// Maximum length of a value, in characters.
    const MAX_VALUE: usize = 1_000;

    fn parse(key: String, value: String) -> Result<Self, Invalid> {
        if !(1..=Self::MAX_KEY).contains(&key.chars().count()) {
            let message = format!("must have a key of 1 to {} characters", Self::MAX_KEY);
            return Err(Invalid::new("length", message));
        }
        // SQLite has no path to such a member.
        if key.contains(|letter: char| matches!(letter, '"' | '\\') || letter.is_control()) {
            let message = "must have a key without `\"`, `\\` and control characters";
            return Err(Invalid::new("format", message));
        }
        if value.chars().count() > Self::MAX_VALUE {
            let message = format!("must be at most {} characters", Self::MAX_VALUE);
            return Err(Invalid::new("length", message));
        }
        if value.contains('\0') {
            return Err(Invalid::new("nul", "must not contain U+0000"));
        }
        Ok(Self { key, value })
    }

    /// The name of the member.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The text of the value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The literal that the value spells.
    #[must_use]
    pub fn literal(&self) -> Option<Literal> {
        let value = &*self.value;
        if matches!(value, "true" | "false" | "null") {
            return Some(Literal::Name);
        }
        // The parser skips white space.
        let is_number = !value.contains(char::is_whitespace)
            && serde_json::from_str::<serde_json::Number>(value).is_ok()
            && is_in_range(value);
        let number = value.parse::<f64>().ok().filter(|_| is_number)?;
        let (mantissa, _) = value.split_once(['e', 'E']).unwrap_or((value, ""));
        let digits = mantissa.replace(['-', '.'], "");
        let bound = |factor: f64| (number * factor).clamp(f64::MIN, f64::MAX);
        let (half, twice) = (bound(0.5), bound(2.0));
        Some(Literal::Number {
            digits: digits.trim_matches('0').to_owned(),
            bounds: (half.min(twice), half.max(twice)),
        })
    }
}

/// At most three filters. A post must match all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MetadataFilters(Vec<MetadataFilter>);

impl MetadataFilters {
    /// Maximum number of filters.
    const MAX: usize = 3;

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The filters, by key.
    pub fn iter(&self) -> impl Iterator<Item = &MetadataFilter> {
        self.0.iter()
    }
}

/// Reads an object whose members are the filters.
impl<E: InputError> Deserr<E> for MetadataFilters {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        let Value::Map(members) = value else {
            let message = "must be sent as `metadata.KEY=VALUE`";
            return Err(invalid_value(Invalid::new("type", message), location));
        };
        if members.len() > Self::MAX {
            let message = format!("must be at most {} filters", Self::MAX);
            return Err(invalid_value(Invalid::new("length", message), location));
        }
        let filter = |(key, value): (String, V)| match value.into_value() {
            Value::String(value) => MetadataFilter::parse(key, value)
                .map_err(|invalid| invalid_value(invalid, location)),
            other => Err(wrong_kind(
                other,
                &[ValueKind::String],
                location.push_key(&key),
            )),
        };
        let mut filters = members
            .into_iter()
            .map(filter)
            .collect::<Result<Vec<_>, E>>()?;
        filters.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(Self(filters))
    }
}

#[cfg(test)]
mod tests {
    use super::{Literal, MetadataFilter};

    #[test]
    fn a_literal_is_spelt_as_in_json() {
        let literal = |value: &str| {
            let filter = MetadataFilter::parse("key".to_owned(), value.to_owned());
            filter.unwrap().literal()
        };
        for text in [
            "", "+1", "01", "1.", ".5", " 1", "1 ", "NaN", "1e999", "True", "0x1",
        ] {
            assert_eq!(literal(text), None, "{text}");
        }
        assert_eq!(literal("null"), Some(Literal::Name));
        let number = |digits: &str, low, high| {
            let (digits, bounds) = (digits.to_owned(), (low, high));
            Some(Literal::Number { digits, bounds })
        };
        assert_eq!(literal("-010.50e1"), None);
        assert_eq!(literal("-10.50e1"), number("105", -210.0, -52.5));
        assert_eq!(literal("0.0"), number("", 0.0, 0.0));
        assert_eq!(literal("1.5e308"), number("15", 7.5e307, f64::MAX));
    }
}
