//! Sign-in, sessions, tokens and keys.

mod access_tokens;
mod authentication;
mod introspection;
pub mod keys;
mod last_used;
mod metadata;
mod oauth_errors;
mod passwords;
pub mod refresh;
mod revocation;
pub mod scopes;
mod sessions;
mod sign_in;
mod stale_cache;
