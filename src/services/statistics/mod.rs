//! Statistics, folded from the event log.
//!
//! One job reads the log in pages. It computes what a page changes, and writes that in one short
//! transaction, together with the position of the page. The transaction first compares and replaces the
//! revision of the row of `statistics`: if another server has written meanwhile, it changes nothing. So each
//! event is counted once, after a crash too, and no request waits for these tables.
//!
//! What can be read from the present rows is not added up from events: a page names the posts and users
//! that have changed, and the difference between what they are and what was counted is written. A state
//! that is newer than the page does no harm, because its events follow. Only votes by day are sums of
//! events.

mod answers;
mod changes;
mod fold;
mod page;
mod rebuild;
mod state;
mod step;
mod write;

pub use answers::{
    Day, FoldedTo, PostDays, TagCount, TagCursor, Totals, UserTotals, VoteDay, of_post, of_user,
    tags, totals,
};
pub use fold::{Backlog, Outcome, fold, remove_old_days};
pub use state::folded;

/// Days since 1970-01-01 in UTC.
pub type DayNumber = i32;

/// Number of days whose users count as active in the last month, today included.
pub const MONTH: DayNumber = 30;
/// Days for which the activity of users is kept. More than [`MONTH`], because the clocks of servers differ.
const KEPT_DAYS: DayNumber = 40;

/// The day of `time`.
#[must_use]
pub fn day_of(time: time::OffsetDateTime) -> DayNumber {
    let days = time.unix_timestamp().div_euclid(86_400);
    DayNumber::try_from(days).unwrap_or(DayNumber::MAX)
}

/// The first day whose activity is kept.
fn first_kept_day() -> DayNumber {
    day_of(super::now()).saturating_sub(KEPT_DAYS)
}
