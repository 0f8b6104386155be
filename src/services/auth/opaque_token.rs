//! Opaque tokens: random text that the service recognises by its hash.
//!
//! Refresh tokens are random letters and digits. Personal access tokens add a prefix and a checksum,
//! so that a scanner for leaked secrets recognises them. The database stores hashes only.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::distr::{Alphanumeric, SampleString};

/// 256 bits.
const REFRESH_LENGTH: usize = 43;
/// 178 bits.
const TICKET_LENGTH: usize = 30;
/// The first characters of every personal access token.
const PREFIX: &str = "acl_";
/// 178 bits.
const PERSONAL_LENGTH: usize = 30;
/// Length of the CRC-32 of the random part, in base 62.
const CHECKSUM_LENGTH: usize = 6;

/// A new refresh token.
pub(super) fn new_refresh_token() -> String {
    random(REFRESH_LENGTH)
}

/// A new ticket.
pub(super) fn new_ticket() -> String {
    random(TICKET_LENGTH)
}

/// A new personal access token.
pub(super) fn new_personal_token() -> String {
    let random = random(PERSONAL_LENGTH);
    format!("{PREFIX}{random}{}", checksum(&random))
}

/// True if `token` has the prefix of personal access tokens.
pub(super) fn is_personal(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// The hash of a personal access token; `None` if its length or checksum is wrong.
pub(super) fn hash_personal(token: &str) -> Option<String> {
    let random = token.strip_prefix(PREFIX)?;
    let (random, sum) = random.split_at_checked(PERSONAL_LENGTH)?;
    (sum == checksum(random)).then(|| hash(token))
}

/// SHA-256 in base64url. A fast hash is enough: with at least 178 random bits a token cannot be
/// guessed.
pub(super) fn hash(token: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()))
}

/// `length` random letters and digits: 5.95 bits each.
fn random(length: usize) -> String {
    Alphanumeric.sample_string(&mut rand::rng(), length)
}

fn checksum(random: &str) -> String {
    format!(
        "{:0>width$}",
        base62::encode(crc32fast::hash(random.as_bytes())),
        width = CHECKSUM_LENGTH
    )
}
