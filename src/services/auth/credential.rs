//! The session or token behind a request.

use std::fmt;

use entity::values::SessionId;

/// A session or a personal access token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A session, by its id.
    Session(SessionId),
    /// A personal access token, by its hash.
    Token(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "Session({id})"),
            Self::Token(_) => f.write_str("Token(..)"),
        }
    }
}
