//! Authentication: credentials, sessions, tokens and passwords.

pub mod access_tokens;
pub mod authenticator;
pub mod cleanup;
mod credential;
pub mod introspection;
pub mod last_used;
mod lookup;
mod opaque_token;
pub mod passwords;
pub mod personal_tokens;
pub mod rehash;
pub mod revocation;
pub mod sessions;
pub mod sign_in;
pub mod sign_up;
pub mod tickets;

pub use authenticator::{Authenticator, Identity};
pub use credential::Credential;
