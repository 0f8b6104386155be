//! The rules and the queries of each resource. Knows no HTTP; takes what it needs as arguments.

pub mod account;
pub mod auth;
pub mod cleanup;
pub mod moderation;
pub mod posts;
pub mod users;
pub mod votes;

use time::OffsetDateTime;

/// Now, in UTC and whole microseconds: what both databases keep, so that what is written is what
/// is read back.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.microsecond() * 1_000)
        .unwrap_or(now)
}
