//! Writes of many posts of one owner, in one transaction and few statements.
//!
//! The number of statements does not depend on the number of rows. Rows are locked in the order of their
//! ids, and before any external id is taken, so that two writes cannot deadlock. A row that cannot be written
//! fails by itself, and violates no constraint: that would end the transaction. If another request takes an
//! external id meanwhile, the transaction is run again.

mod change;
mod create;
mod delete;
mod index_work;
mod outcome;
mod rows;
mod targets;
mod update;

pub use change::change;
pub use create::{OnConflict, create};
pub use delete::delete;
pub use index_work::MAX_TEXT_BYTES;
pub use outcome::{Done, Mode, Outcome, Rows};
pub use targets::Key;
