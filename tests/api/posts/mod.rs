//! Posts.

mod conditional;
pub mod feed;
mod naughty_strings;
mod search;
mod write;
