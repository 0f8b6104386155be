//! The key of a request that can be repeated, and its scope.

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use super::{Invalid, UserId};

/// The key of a request that can be repeated: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
#[sea_orm(column_type = "Text")]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    const MAX: usize = 255;
    /// The values that [`parse_header`](Self::parse_header) accepts.
    const HEADER: &str = r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#;

    /// Checks `key`.
    pub fn parse(key: impl Into<String>) -> Result<Self, Invalid> {
        let key = key.into();
        let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible || !(1..=Self::MAX).contains(&key.len()) {
            return Err(Invalid::new(
                "format",
                "must have 1 to 255 visible ASCII characters",
            ));
        }
        Ok(Self(key))
    }

    /// Reads the value of the header: a string of Structured Fields (RFC 9651, section 3.3.3), or the
    /// key itself if it does not begin with a quotation mark.
    pub fn parse_header(value: &str) -> Result<Self, Invalid> {
        let Some(rest) = value.strip_prefix('"') else {
            return Self::parse(value);
        };
        let invalid = || {
            Invalid::new(
                "format",
                "must end with a quotation mark if it begins with one",
            )
        };
        let quoted = rest.strip_suffix('"').ok_or_else(invalid)?;
        let mut key = String::with_capacity(quoted.len());
        let mut letters = quoted.chars();
        while let Some(letter) = letters.next() {
            key.push(match letter {
                '\\' => letters
                    .next()
                    .filter(|escaped| matches!(escaped, '"' | '\\'))
                    .ok_or_else(|| {
                        Invalid::new(
                            "format",
                            "must have `\\` in quotation marks only before `\"` or `\\`",
                        )
                    })?,
                '"' => return Err(invalid()),
                other => other,
            });
        }
        Self::parse(key)
    }
}

/// Required of a part of a primary key. The database never assigns a key.
impl TryFromU64 for IdempotencyKey {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("IdempotencyKey"))
    }
}

/// The schema has no example: Swagger UI would send it with every request.
impl PartialSchema for IdempotencyKey {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .pattern(Some(Self::HEADER))
            .into()
    }
}

impl ToSchema for IdempotencyKey {}

/// The requests among which a key is unique: those of one caller, or those without a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct KeyScope(i64);

impl KeyScope {
    /// True if the requests have a caller.
    #[must_use]
    pub fn has_caller(self) -> bool {
        self.0 != 0
    }
}

impl From<Option<UserId>> for KeyScope {
    /// The ids of users begin at 1.
    fn from(caller: Option<UserId>) -> Self {
        Self(caller.map_or(0, UserId::get))
    }
}
