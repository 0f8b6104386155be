//! Rules for single members, and how they are read.

use std::{str::FromStr, sync::LazyLock};

use regex::Regex;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use validator::ValidationError;
use zxcvbn::zxcvbn;

use crate::error::Fault;

/// A password that came in a request. It serialises as nothing: `validator` copies the values it
/// checks into its errors.
#[derive(Clone, Debug, Default)]
pub struct Secret(pub SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

type Checked = Result<(), ValidationError>;

fn fault(code: &'static str, message: &'static str) -> Checked {
    Err(ValidationError::new(code).with_message(message.into()))
}

/// U+0000 is refused: PostgreSQL cannot store it.
pub fn no_nul(text: &str) -> Checked {
    if text.contains('\0') {
        return fault("nul", "must not contain U+0000");
    }
    Ok(())
}

/// Something must be left after trimming white space (Unicode's `White_Space`).
pub fn not_blank(text: &str) -> Checked {
    if !text.is_empty() && text.trim().is_empty() {
        return fault("blank", "must not be blank");
    }
    Ok(())
}

/// HTML's own expression (section 4.10.5.1.5); the document has the same.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\A[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@",
        r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?",
        r"(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*\z",
    ))
    .ok()
});

/// An e-mail address as HTML's `input type=email` takes it, which is ASCII alone, at most 254
/// characters.
pub fn email(text: &str) -> Checked {
    if text.chars().count() > 254 {
        return fault("length", "must be at most 254 characters");
    }
    if !ADDRESS
        .as_ref()
        .is_some_and(|address| address.is_match(text))
    {
        return fault("format", "must be an e-mail address");
    }
    Ok(())
}

/// 3 to 30 of `[a-z0-9_-]`.
pub fn username(text: &str) -> Checked {
    if !(3..=30).contains(&text.chars().count()) {
        return fault("length", "must be 3 to 30 characters");
    }
    let fits = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if !text.bytes().all(fits) {
        return fault("format", "must be of a to z, 0 to 9, `_` and `-`");
    }
    Ok(())
}

/// How many guesses a password must outlast: the most common ones fall sooner.
const GUESSES: u64 = 10_000;
/// The longest password that is looked up, in characters. The estimator takes 2 ms at most for as
/// many, but half a second for 100; hardly any common password is longer.
const ESTIMATED: usize = 16;

/// 8 to 128 characters, and not one of those that everybody tries first.
pub fn password(secret: &Secret) -> Checked {
    let text = secret.0.expose_secret();
    if !(8..=128).contains(&text.chars().count()) {
        return fault("length", "must be 8 to 128 characters");
    }
    no_nul(text)?;
    if text.chars().count() <= ESTIMATED && zxcvbn(text, &[]).guesses() < GUESSES {
        return fault(
            "common",
            "is one of the most common passwords; choose another one",
        );
    }
    Ok(())
}

/// The fault of a new password that is one of its user's own `names`: the e-mail address, what
/// stands before its `@`, or the username. Letters compare without case.
#[must_use]
pub fn own_name(field: &str, secret: &Secret, names: &[&str]) -> Option<Fault> {
    let text = secret.0.expose_secret();
    let is = |name: &str| name.eq_ignore_ascii_case(text);
    let own = |name: &&str| is(name) || name.split_once('@').is_some_and(|(local, _)| is(local));
    names.iter().any(own).then(|| {
        Fault::new(
            field,
            "common",
            "is your own name or e-mail address; choose another one",
        )
    })
}

/// A password to sign in with: whatever it is, it may be wrong, but it may not keep a core busy.
pub fn any_password(secret: &Secret) -> Checked {
    if secret.0.expose_secret().chars().count() > 128 {
        return fault("length", "must be at most 128 characters");
    }
    Ok(())
}

/// 1 to 30 of `[a-z0-9-]`.
pub fn tag(text: &str) -> Checked {
    if !(1..=30).contains(&text.chars().count()) {
        return fault("length", "must be 1 to 30 characters");
    }
    let fits = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if !text.bytes().all(fits) {
        return fault("format", "must be of a to z, 0 to 9 and `-`");
    }
    Ok(())
}

/// At most 10 tags.
pub fn tags(tags: &[String]) -> Checked {
    if tags.len() > 10 {
        return fault("length", "must be at most 10 tags");
    }
    if tags.iter().any(|text| tag(text).is_err()) {
        return fault(
            "format",
            "must be tags of 1 to 30 characters, of a to z, 0 to 9 and `-`",
        );
    }
    Ok(())
}

/// Reads text trimmed and with A to Z in lower case. No other letter is folded: some would become
/// one of a to z.
pub fn lower_case<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?
        .trim()
        .to_ascii_lowercase())
}

/// Reads text that may be missing or null, with A to Z in lower case.
pub fn some_lower_case<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| text.to_ascii_lowercase()))
}

/// Reads text that may be missing but not null, with A to Z in lower case.
pub fn present_lower_case<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(Some(
        String::deserialize(deserializer)?.to_ascii_lowercase(),
    ))
}

/// The same, trimmed.
pub fn present_trimmed_lower_case<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    lower_case(deserializer).map(Some)
}

/// Reads a member that may be missing but not null.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Reads a number from the text of a query string.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    parsed(deserializer, "must be a whole number of 64 bits")
}

/// The same where the parameter may be missing.
pub fn some_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    number(deserializer).map(Some)
}

/// Reads `true` or `false` from the text of a query string.
pub fn some_boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    parsed(deserializer, "must be `true` or `false`").map(Some)
}

/// Reads a moment of RFC 3339, in UTC then, from the text of a query string.
pub fn some_moment<'de, D>(deserializer: D) -> Result<Option<OffsetDateTime>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    let moment = OffsetDateTime::parse(&text, &Rfc3339).ok();
    let moment = moment.and_then(|moment| moment.checked_to_offset(UtcOffset::UTC));
    // In UTC it may be in a year that RFC 3339 does not have.
    let moment = moment.filter(|moment| (0..=9999).contains(&moment.year()));
    moment.map(Some).ok_or_else(|| {
        D::Error::custom("must be a moment of RFC 3339 such as `2026-11-21T06:00:42Z`")
    })
}

fn parsed<'de, D, T>(deserializer: D, rule: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(rule))
}
