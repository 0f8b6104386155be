//! Texts with a rule.

use std::{borrow::Cow, fmt, str::FromStr, sync::LazyLock};

use regex::Regex;
use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use utoipa::openapi::{
    ObjectBuilder,
    schema::{KnownFormat, SchemaFormat, Type},
};
use validator::{ValidateLength, ValidateRegex, ValidationError};

use super::{
    Invalid,
    blank::{is_blank, not_blank_pattern},
};

/// The rule of a text. Lengths count Unicode scalar values.
pub(super) struct Rule {
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) characters: CharacterRule,
    /// OpenAPI's `format`.
    pub(super) format: Option<KnownFormat>,
    pub(super) example: Option<&'static str>,
}

/// The characters that a text may contain.
pub(super) enum CharacterRule {
    /// Any.
    Any,
    /// All but U+0000, which PostgreSQL cannot store.
    NoNul,
    /// All but U+0000, and at least one that shows something.
    NotBlank,
    /// A regular expression, in the syntax that ECMA-262 and the `regex` crate share.
    Pattern {
        pattern: &'static str,
        regex: &'static LazyLock<Option<Regex>>,
        message: &'static str,
    },
}

impl Rule {
    /// Up to `max` characters, all but U+0000.
    pub(super) const fn up_to(max: u64) -> Self {
        Self {
            min: 0,
            max,
            characters: CharacterRule::NoNul,
            format: None,
            example: None,
        }
    }

    /// Checks `text` and reports every violation.
    pub(super) fn check(&self, text: &str) -> Result<(), Invalid> {
        let mut violations = Vec::new();
        let mut report = |code, message: String| {
            violations.push(ValidationError::new(code).with_message(message.into()));
        };
        let (min, max) = (self.min, self.max);
        let fits = text.validate_length(Some(min), Some(max), None);
        if !fits {
            report(
                "length",
                match min {
                    0 => format!("must be at most {max} characters"),
                    _ => format!("must be {min} to {max} characters"),
                },
            );
        }
        match &self.characters {
            CharacterRule::Any | CharacterRule::NoNul => {}
            CharacterRule::NotBlank => {
                if !text.is_empty() && is_blank(text) {
                    report("blank", "must not be blank".to_owned());
                }
            }
            CharacterRule::Pattern { regex, message, .. } => {
                let matches = regex
                    .as_ref()
                    .is_some_and(|regex| text.validate_regex(regex));
                if fits && !matches {
                    report("format", (*message).to_owned());
                }
            }
        }
        let no_nul = matches!(
            self.characters,
            CharacterRule::NoNul | CharacterRule::NotBlank
        );
        if no_nul && text.contains('\0') {
            report("nul", "must not contain U+0000".to_owned());
        }
        if violations.is_empty() {
            return Ok(());
        }
        Err(Invalid(violations))
    }

    fn pattern(&self) -> Option<Cow<'static, str>> {
        match self.characters {
            CharacterRule::Any => None,
            CharacterRule::NoNul => Some(r"^[^\u0000]*$".into()),
            CharacterRule::NotBlank => Some(not_blank_pattern().into()),
            CharacterRule::Pattern { pattern, .. } => Some(pattern.into()),
        }
    }

    pub(super) fn schema(&self) -> ObjectBuilder {
        let length = |length: u64| usize::try_from(length).ok();
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(self.format.clone().map(SchemaFormat::KnownFormat))
            .min_length(length(self.min).filter(|min| *min > 0))
            .max_length(length(self.max))
            .pattern(self.pattern())
            .examples(self.example)
    }
}

macro_rules! text {
    ($(#[$meta:meta])* $name:ident, $rule:expr) => { text!($(#[$meta])* $name, $rule, std::convert::identity); };
    ($(#[$meta:meta])* $name:ident, $rule:expr, $normalise:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
        #[sea_orm(column_type = "Text")]
        pub struct $name(String);

        impl $name {
            pub(super) const RULE: Rule = $rule;

            /// Normalises and checks `text`.
            pub fn parse(text: impl Into<String>) -> Result<Self, Invalid> {
                let normalise: fn(String) -> String = $normalise;
                let text = normalise(text.into());
                Self::RULE.check(&text)?;
                Ok(Self(text))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        input_value!($name, read_text, Self::RULE.schema());
    };
}

/// A [`CharacterRule::Pattern`]. Its regular expression is compiled once.
macro_rules! pattern {
    ($pattern:expr, $message:literal) => {{
        static REGEX: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($pattern).ok());
        CharacterRule::Pattern {
            pattern: $pattern,
            regex: &REGEX,
            message: $message,
        }
    }};
}

text! {
    /// The title of a post.
    Title,
    Rule {
        min: 1,
        characters: CharacterRule::NotBlank,
        example: Some("Notes on the Analytical Engine"),
        ..Rule::up_to(300)
    }
}
text! {
    /// The text of a post.
    Content,
    Rule {
        min: 1,
        characters: CharacterRule::NotBlank,
        example: Some("It weaves algebraic patterns."),
        ..Rule::up_to(40_000)
    }
}
text! {
    /// The id that a post has in a system of its owner. Kept as sent.
    ExternalId,
    Rule {
        min: 1,
        characters: CharacterRule::NotBlank,
        example: Some("station-7-0600"),
        ..Rule::up_to(128)
    }
}
text! {
    /// A keyword of a post. Lists can be filtered by it.
    Tag,
    Rule {
        min: 1,
        characters: pattern!("^[a-z0-9-]+$", "must consist of a to z, 0 to 9 and `-`"),
        ..Rule::up_to(30)
    }
}
text! {
    /// An e-mail address as HTML's `input type=email` accepts it (section 4.10.5.1.5): ASCII only.
    /// Trimmed and lower-cased.
    Email,
    Rule {
        characters: pattern!(
            r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$",
            "must be an e-mail address"
        ),
        format: Some(KnownFormat::Email),
        example: Some("ada@example.com"),
        ..Rule::up_to(254)
    },
    |text| text.trim().to_ascii_lowercase()
}
text! {
    /// The public name of a user. A to Z are lower-cased.
    Username,
    Rule {
        min: 3,
        characters: pattern!("^[A-Za-z0-9_-]+$", "must consist of a to z, 0 to 9, `_` and `-`"),
        example: Some("ada"),
        ..Rule::up_to(30)
    },
    // Unicode lower-casing would turn other letters into a to z, such as U+212A into `k`.
    |text| text.to_ascii_lowercase()
}
text! {
    /// The name in a sign-in request. It can be an e-mail address, a username or an unknown name.
    SignInName,
    Rule {
        min: 1,
        example: Some("ada@example.com"),
        ..Rule::up_to(254)
    }
}
text! {
    /// The reason for an action of moderation, for the audit log. May be empty.
    #[derive(Default)]
    Reason,
    Rule {
        example: Some("Advertising, for the third time"),
        ..Rule::up_to(500)
    }
}
text! {
    /// The name that an owner gives a personal access token.
    TokenName,
    Rule {
        min: 1,
        characters: CharacterRule::NotBlank,
        example: Some("Weather station"),
        ..Rule::up_to(100)
    }
}
text! {
    /// A ticket that opens a stream.
    PresentedTicket,
    Rule {
        characters: CharacterRule::Any,
        example: Some("Rk2dQmN5wYt8bVx0cJz4sLhTgAe1Fu"),
        ..Rule::up_to(100)
    }
}
text! {
    /// The words of a search. May be empty.
    #[derive(Default)]
    SearchText,
    Rule::up_to(1000)
}

/// A text that is checked and not kept.
pub struct IgnoredText;

impl IgnoredText {
    const RULE: Rule = Rule {
        characters: CharacterRule::Any,
        ..Rule::up_to(1000)
    };

    /// Checks only the length of `text`.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, Invalid> {
        Self::RULE.check(text.as_ref())?;
        Ok(Self)
    }
}

input_value!(IgnoredText, read_text, Self::RULE.schema());

/// A username to choose. Words that suggest authority are rejected, as is the audit log's name for the
/// operator.
#[derive(Clone, Debug)]
pub struct ChosenUsername(Username);

impl ChosenUsername {
    const RESERVED: [&str; 17] = [
        "acclaim",
        "admin",
        "administrator",
        "anonymous",
        "daemon",
        "deleted",
        "help",
        "moderator",
        "null",
        "operator",
        "postmaster",
        "root",
        "security",
        "support",
        "system",
        "undefined",
        "webmaster",
    ];

    /// Checks `text`.
    pub fn parse(text: impl Into<String>) -> Result<Self, Invalid> {
        Self::new(Username::parse(text)?)
    }

    /// Checks that `username` is not reserved.
    pub fn new(username: Username) -> Result<Self, Invalid> {
        if Self::RESERVED.contains(&username.as_str()) {
            return Err(Invalid::new("reserved", "is reserved; choose another one"));
        }
        Ok(Self(username))
    }
}

impl AsRef<Username> for ChosenUsername {
    fn as_ref(&self) -> &Username {
        &self.0
    }
}

impl From<ChosenUsername> for Username {
    fn from(new: ChosenUsername) -> Self {
        new.0
    }
}

input_value!(ChosenUsername, read_text, Username::RULE.schema());

impl Username {
    /// Number of random characters in a generated name. 36^12 names make a collision negligible.
    const RANDOM: usize = 12;

    /// `user-` and random letters and digits. It contains no part of the e-mail address, because
    /// usernames are public.
    #[must_use]
    pub fn generate() -> Self {
        const CHARACTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let random = (0..Self::RANDOM).map(|_| {
            let index = rand::random_range(0..CHARACTERS.len());
            CHARACTERS.get(index).copied().map_or('0', char::from)
        });
        Self("user-".chars().chain(random).collect())
    }
}

impl SignInName {
    /// The name in the form that the database stores: trimmed, A to Z lower-cased.
    #[must_use]
    pub fn normalised(&self) -> String {
        self.0.trim().to_ascii_lowercase()
    }
}

/// A key of `post_tags`, which the database never generates.
impl TryFromU64 for Tag {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("Tag"))
    }
}
