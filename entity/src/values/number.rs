//! Numbers with bounds.

use utoipa::openapi::{
    ObjectBuilder,
    schema::{KnownFormat, SchemaFormat, Type},
};
use validator::ValidateRange;

use super::Invalid;

/// The schema of a whole number from `min` to `max`.
pub(super) fn integer(min: i64, max: i64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(min))
        .maximum(Some(max))
}

/// Parses a whole number in decimal digits as in JSON: without a plus sign or leading zeros, so that
/// a number has one text.
pub(super) fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = !digits.starts_with(['+', '0']) || text == "0";
    canonical.then(|| text.parse().ok()).flatten()
}

macro_rules! number {
    ($(#[$meta:meta])* $name:ident: $min:literal to $max:expr $(, hint $hint:literal)? $(, default $default:literal)? $(, example $example:literal)?) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// The highest value.
            pub const MAX: Self = Self($max);

            /// Checks the bounds of `number`.
            pub fn parse(number: i64) -> Result<Self, Invalid> {
                if !number.validate_range(Some($min), Some(Self::MAX.0), None, None) {
                    let message = if Self::MAX.0 == i64::MAX {
                        concat!("must be at least ", $min).to_owned()
                    } else {
                        format!(concat!("must be ", $min, " to {}" $(, $hint)?), Self::MAX.0)
                    };
                    return Err(Invalid::new("range", message));
                }
                Ok(Self(number))
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0.unsigned_abs()
            }
        }

        $(
            impl Default for $name {
                fn default() -> Self {
                    Self($default)
                }
            }
        )?

        input_value!($name, read_integer, {
            let schema = integer($min, Self::MAX.0);
            $(let schema = schema.default(Some($default.into()));)?
            $(let schema = schema.examples([$example]);)?
            schema
        });
    };
}

number! {
    /// Maximum number of rows of a page.
    Limit: 1 to 100, default 10
}
number! {
    /// Number of rows to skip.
    Skip: 0 to i64::MAX, default 0
}
number! {
    /// Number of posts to skip. Their database reads and discards them, so the number is bounded.
    FeedSkip: 0 to 10_000, hint ": use `cursor`, from the `Link` header, to go further", default 0
}
number! {
    /// The lifetime of a personal access token, in seconds: up to 365 days.
    TokenLifetime: 1 to 31_536_000, example 2_592_000
}

number! {
    /// The version of an imported post: below 2^53, so that it can grow, and every JSON parser represents it
    /// exactly.
    PostVersion: 1 to 9_007_199_254_740_991, default 1, example 1
}

impl Skip {
    /// Skips one more page of `limit` rows.
    #[must_use]
    pub const fn plus(self, limit: Limit) -> Self {
        Self(self.0.saturating_add(limit.0))
    }
}
