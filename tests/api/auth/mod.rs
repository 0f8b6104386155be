//! Sign-in, sessions, tokens and keys.

mod access_tokens;
mod authentication;
pub mod keys;
mod last_used;
mod passwords;
pub mod refresh;
mod sessions;
mod sign_in;
mod stale_cache;
