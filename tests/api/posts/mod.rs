//! Posts.

mod conditional;
pub mod feed;
mod naughty_strings;
mod preconditions;
mod read;
mod search;
mod write;
