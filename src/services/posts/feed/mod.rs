//! Lists of posts.

mod filter;
mod list;
mod lists;
mod order;
mod query;
mod select;
mod source;

pub use lists::{FeedPage, page};
pub use order::{FeedCursor, Sort};
pub use query::FeedQuery;
