//! Lists of posts.

mod filter;
mod list;
mod lists;
mod order;
mod query;

pub(super) use filter::among;
pub(super) use list::Wanted;
pub use lists::page;
pub use order::{Position, Sort};
pub use query::{Page, Query};
