//! Lists of posts.

mod filter;
mod list;
mod metadata;
mod order;
mod query;
mod select;
mod shared;
mod source;

pub use order::{FeedCursor, Sort};
pub use query::FeedQuery;
pub use shared::{FeedRepresentation, page};
