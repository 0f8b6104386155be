//! Helper for `Deserr` implementations that cannot be derived.

use std::mem;

use deserr::{
    DeserializeError, Deserr, ErrorKind, IntoValue, Map, MergeWithError, Value, ValueKind,
    ValuePointerRef, take_cf_content,
};
use entity::values::Invalid;

use super::BodyErrors;

/// Deserializes the members of an object one by one, and collects the errors of all of them.
pub struct ObjectReader<'a, V: IntoValue> {
    members: V::Map,
    location: ValuePointerRef<'a>,
    errors: BodyErrors,
}

impl<'a, V: IntoValue> ObjectReader<'a, V> {
    /// Starts to read `value`.
    ///
    /// # Errors
    /// If `value` is not an object.
    pub fn new(value: Value<V>, location: ValuePointerRef<'a>) -> Result<Self, BodyErrors> {
        match value {
            Value::Map(members) => Ok(Self {
                members,
                location,
                errors: BodyErrors::default(),
            }),
            actual => {
                let accepted = &[ValueKind::Map];
                let error = ErrorKind::IncorrectValueKind { actual, accepted };
                Err(take_cf_content(BodyErrors::error(None, error, location)))
            }
        }
    }

    /// Reads the member `name`. Returns `None` if it is missing or invalid; both are errors.
    pub fn required<T: Deserr<BodyErrors>>(&mut self, name: &str) -> Option<T> {
        self.required_or_alias(name, name)
    }

    /// Reads the member `name`, or `alias` if `name` is missing. Returns `None` if both are missing
    /// or the value is invalid; both are errors of `name`.
    pub fn required_or_alias<T: Deserr<BodyErrors>>(
        &mut self,
        name: &str,
        alias: &str,
    ) -> Option<T> {
        let value = self.members.remove(name);
        let Some(value) = value.or_else(|| self.members.remove(alias)) else {
            let missing: ErrorKind<'_, V> = ErrorKind::MissingField { field: name };
            let missing = take_cf_content(BodyErrors::error(None, missing, self.location));
            self.add(missing, self.location);
            return None;
        };
        self.read(name, value)
    }

    /// Reads the member `name`. Returns `None` if it is missing, or if it is invalid, which is an
    /// error. Null is invalid unless `T` is an `Option`.
    pub fn optional<T: Deserr<BodyErrors>>(&mut self, name: &str) -> Option<T> {
        let value = self.members.remove(name)?;
        self.read(name, value)
    }

    /// Reads the members `names`, and returns the first one that is present and valid. If none is
    /// present, that is an error of the first name.
    pub fn any_of<T: Deserr<BodyErrors>>(&mut self, names: [&str; 2]) -> Option<T> {
        let present = names.map(|name| Some((name, self.members.remove(name)?)));
        if present.iter().all(Option::is_none) {
            let [name, _] = names;
            return self.required(name);
        }
        let values = present.map(|member| {
            let (name, value) = member?;
            self.read(name, value)
        });
        values.into_iter().flatten().next()
    }

    /// Whether there are no errors so far.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Adds the rules that the member `name` breaks to the errors.
    pub fn reject(&mut self, name: &str, invalid: Invalid) {
        let location = self.location;
        self.add(invalid, location.push_key(name));
    }

    /// Returns `value` if there are no errors.
    ///
    /// # Errors
    /// All errors so far.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, BodyErrors> {
        let value = value.filter(|_| self.errors.is_empty());
        value.ok_or(self.errors)
    }

    fn read<T: Deserr<BodyErrors>>(&mut self, name: &str, value: V) -> Option<T> {
        let location = self.location;
        let read = T::deserialize_from_value(value.into_value(), location.push_key(name));
        read.map_err(|errors| self.add(errors, location)).ok()
    }

    fn add<E>(&mut self, error: E, location: ValuePointerRef<'_>)
    where
        BodyErrors: MergeWithError<E>,
    {
        let errors = Some(mem::take(&mut self.errors));
        self.errors = take_cf_content(BodyErrors::merge(errors, error, location));
    }
}
