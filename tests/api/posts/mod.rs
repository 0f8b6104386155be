//! Posts.

mod bulk;
mod conditional;
mod external_ids;
pub mod feed;
mod metadata;
mod naughty_strings;
mod preconditions;
mod read;
mod search;
mod write;
