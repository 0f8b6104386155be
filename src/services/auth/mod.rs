//! Authentication: credentials, sessions, tokens and passwords.

pub mod access_tokens;
pub mod authenticator;
mod opaque_token;
pub mod passwords;
pub mod personal_tokens;
mod scopes;
pub mod sessions;
pub mod sign_in;

pub use authenticator::{Authenticator, Credential, Identity, Role};
pub use scopes::{
    ACCOUNT, POSTS_CREATE, POSTS_DELETE, POSTS_READ, POSTS_UPDATE, SCOPES, Scopes, VOTES_WRITE,
};
