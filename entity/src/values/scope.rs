//! The scopes of access tokens (RFC 6749, section 3.3).

use std::{convert::Infallible, fmt, str::FromStr};

use deserr::{
    DeserializeError, Deserr, ErrorKind, IntoValue, Value, ValuePointerRef, take_cf_content,
};
use sea_orm::DeriveValueType;
use serde::Serialize;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, Type},
    },
};
use validator::ValidateLength;

use super::{
    InputError, Invalid, read_sequence, read_text,
    text::{CharacterRule, Rule},
};

/// Declares each scope once: its variant, its name in OAuth 2.0 and its meaning.
macro_rules! scopes {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        /// A right that a token can have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        pub enum Scope {
            $(
                #[doc = $meaning]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl Scope {
            /// Every scope, in the order of the text form of [`Scopes`].
            pub const ALL: &[Self] = &[$(Self::$variant),*];
            const NAMES: &[&'static str] = &[$($name),*];

            /// The name in OAuth 2.0.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// A description for people.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

scopes! {
    PostsRead = "posts:read", "Read posts and users";
    PostsCreate = "posts:create", "Write new posts";
    PostsUpdate = "posts:update", "Change own posts";
    PostsDelete = "posts:delete", "Delete own posts";
    VotesWrite = "votes:write", "Vote and take votes back";
    EventsRead = "events:read", "Follow what happens";
    Account = "account", "See and change the account, its sessions and tokens";
    Introspect = "introspect", "Introspect tokens, for services";
}

/// The error for an unknown scope name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownScope;

impl fmt::Display for UnknownScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected one of {}", Scope::NAMES.join(", "))
    }
}

impl std::error::Error for UnknownScope {}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.iter().find(|scope| scope.name() == name);
        known.copied().ok_or(UnknownScope)
    }
}

impl PartialSchema for Scope {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A right that a token can have."))
            .enum_values(Some(Self::NAMES.iter().copied()))
            .into()
    }
}

impl ToSchema for Scope {}

impl<E: InputError> Deserr<E> for Scope {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        let name = read_text::<_, E, V>(value, location, Ok)?;
        name.parse().map_err(|_| {
            let unknown = ErrorKind::UnknownValue {
                value: &name,
                accepted: Self::NAMES,
            };
            take_cf_content(<E as DeserializeError>::error::<V>(None, unknown, location))
        })
    }
}

/// A set of scopes. The text form, also in the database, is the names separated by spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DeriveValueType)]
#[sea_orm(value_type = "String", column_type = "Text")]
pub struct Scopes(u16);

impl Scopes {
    /// The empty set.
    pub const NONE: Self = Self(0);
    /// The rights of a signed-in user.
    pub const ALL: Self = Self::of(Scope::ALL);

    /// The set of `scopes`.
    #[must_use]
    pub const fn of(mut scopes: &[Scope]) -> Self {
        let mut set = 0;
        while let [first, rest @ ..] = scopes {
            set |= Self::bit(*first);
            scopes = rest;
        }
        Self(set)
    }

    /// Accepts one scope to all of them, in any order.
    pub fn parse(scopes: &[Scope]) -> Result<Self, Invalid> {
        let max = Scope::ALL.len();
        if !scopes.validate_length(Some(1), u64::try_from(max).ok(), None) {
            let message = format!("must be 1 to {max} scopes");
            return Err(Invalid::new("length", message));
        }
        Ok(Self::of(scopes))
    }

    const fn bit(scope: Scope) -> u16 {
        1 << scope as u16
    }

    /// Whether `scope` is in the set.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    /// The scopes that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether every scope of `other` is in the set.
    #[must_use]
    pub const fn contains_all(self, other: Self) -> bool {
        self.intersection(other).0 == other.0
    }

    /// The scopes in the set.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        let all = Scope::ALL.iter().copied();
        all.filter(move |scope| self.contains(*scope))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{}", scope.name())?;
        }
        Ok(())
    }
}

/// Parses the text form from the database. Ignores names that this version does not know.
impl FromStr for Scopes {
    type Err = Infallible;

    fn from_str(names: &str) -> Result<Self, Infallible> {
        let known = names.split(' ').filter_map(|name| name.parse().ok());
        Ok(Self(known.fold(0, |set, scope| set | Self::bit(scope))))
    }
}

impl PartialSchema for Scopes {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new()
            .items(Ref::from_schema_name(<Scope as ToSchema>::name()))
            .min_items(Some(1))
            .max_items(Some(Scope::ALL.len()))
            .examples([json!(["posts:create"])])
            .into()
    }
}

impl ToSchema for Scopes {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((<Scope as ToSchema>::name().into_owned(), Scope::schema()));
    }
}

impl<E: InputError> Deserr<E> for Scopes {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        read_sequence(value, location, Self::parse)
    }
}

/// `scope` of a token request (RFC 6749, section 3.3): at least one scope, separated by spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedScopes(Scopes);

impl RequestedScopes {
    /// Every scope together has fewer characters.
    const LENGTH: Rule = Rule {
        characters: CharacterRule::Any,
        ..Rule::up_to(255)
    };

    /// Accepts scopes in any order. A scope may occur more than once.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, Invalid> {
        let text = text.as_ref();
        Self::LENGTH.check(text)?;
        let scopes: Result<Vec<Scope>, _> = text.split(' ').map(str::parse).collect();
        scopes.map(|scopes| Self(Scopes::of(&scopes))).map_err(|_| {
            let names = Scope::NAMES.join(", ");
            let message = format!("must be one or more of {names}, separated by single spaces");
            Invalid::new("unknown_value", message)
        })
    }

    /// The set.
    #[must_use]
    pub const fn scopes(self) -> Scopes {
        self.0
    }

    fn text_schema() -> ObjectBuilder {
        let name = Scope::NAMES.join("|");
        Self::LENGTH
            .schema()
            .pattern(Some(format!("^({name})( ({name}))*$")))
            .examples([json!(Scopes::ALL.to_string())])
    }
}

input_value!(RequestedScopes, read_text, Self::text_schema());
