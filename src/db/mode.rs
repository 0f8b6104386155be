//! Kinds of transactions.

/// A kind of transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Reads and writes.
    Write,
    /// Reads one state of the database: that of its first statement.
    Snapshot,
}
