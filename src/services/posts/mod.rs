//! Posts and drafts.

mod feed;
mod post;
mod read;
mod search;
pub(super) mod visibility;
mod write;

pub use feed::{FeedCursor, FeedPage, FeedQuery, Sort, page};
pub use post::Post;
pub use read::get;
pub use write::{Changes, NewPost, create, delete, update};
