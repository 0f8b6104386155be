//! Random tokens that only their holder can read: the database keeps a hash.
//!
//! Refresh tokens and personal access tokens share this format.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::distr::{Alphanumeric, SampleString};

/// `length` random letters and digits, with 5.95 bits of entropy each.
pub(super) fn random(length: usize) -> String {
    Alphanumeric.sample_string(&mut rand::rng(), length)
}

/// SHA-256 in base64url. A fast hash is enough: tokens have at least 178 random bits, so that no
/// attacker can guess one.
pub(super) fn hash(token: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()))
}
