//! The tables of Acclaim as SeaORM entities, one file a table.

pub mod posts;
pub mod users;
pub mod votes;
