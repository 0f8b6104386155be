//! The rules and the queries of each resource. This layer knows no HTTP.

pub mod account;
pub mod auth;
pub mod moderation;
pub mod paging;
pub mod posts;
pub mod users;
pub mod votes;

use time::OffsetDateTime;

/// The current time in UTC, in whole microseconds: the precision that both databases store, so that
/// a value is read back as it was written.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.microsecond() * 1_000)
        .unwrap_or(now)
}
