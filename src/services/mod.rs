//! The rules and the queries of each resource. This layer does not depend on HTTP.

pub mod account;
pub mod archive;
pub mod auth;
pub mod events;
pub mod export;
pub mod idempotency;
pub mod import;
pub mod moderation;
pub mod paging;
pub mod posts;
pub mod quotas;
pub mod removal;
mod running;
pub mod statistics;
pub mod users;
pub mod votes;
pub mod webhooks;

use time::OffsetDateTime;

/// The current time in UTC, in whole microseconds. Both databases store this precision, so that a
/// value does not change when it is read back.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.microsecond() * 1_000)
        .unwrap_or(now)
}
