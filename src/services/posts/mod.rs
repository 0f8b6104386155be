//! Posts and drafts.

pub mod bulk;
pub(super) mod external;
pub mod feed;
mod keyed;
mod post;
mod precondition;
mod put;
mod read;
mod search;
pub(super) mod visibility;
mod write;

pub use keyed::create_keyed;
pub use post::PostView;
pub use precondition::{Precondition, Versions};
pub use put::put;
pub use read::get;
pub use search::{forget_deleted_words, merge_new_words};
pub use write::{create, delete, update};
