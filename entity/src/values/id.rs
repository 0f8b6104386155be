//! Ids of rows: one type per table, so that a post's id cannot be used as a user's id.

use std::{fmt, str::FromStr};

use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};

use super::{
    Invalid,
    number::{decimal, integer},
};

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType,
        )]
        pub struct $name(i64);

        impl $name {
            /// Accepts 1 to 2^63 - 1.
            pub fn parse(id: i64) -> Result<Self, Invalid> {
                if id < 1 {
                    return Err(Invalid::new("range", "must be at least 1"));
                }
                Ok(Self(id))
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                let invalid = || {
                    let message = "must be a whole number from 1 to 9223372036854775807, without leading zeros";
                    Invalid::new("type", message)
                };
                let id = decimal(text).ok_or_else(invalid)?;
                Self::parse(id).map_err(|_| invalid())
            }
        }

        input_value!($name, read_integer, integer(1, i64::MAX).examples([1]));
    };
}

id! {
    /// The id of a user.
    UserId
}
id! {
    /// The id of a post. Later posts have higher ids.
    PostId
}
id! {
    /// The id of a session: random, and below 2^53, so that every JSON parser represents it exactly.
    SessionId
}
id! {
    /// The id of a personal access token.
    TokenId
}
id! {
    /// The id of an entry of the audit log. Later entries have higher ids.
    AuditEntryId
}

id! {
    /// The id of a webhook.
    WebhookId
}

impl SessionId {
    /// The exclusive bound of session ids.
    const BOUND: i64 = 1 << 53;

    /// A random id. A collision is negligible: there are 2^53 ids.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random_range(1..Self::BOUND))
    }
}
