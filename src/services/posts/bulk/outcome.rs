//! What a write of many posts did.

use entity::values::PostId;

use crate::{
    db::Transaction,
    error::Error,
    services::{idempotency::StoredAnswer, quotas::Reservation},
};

/// How the rows belong together.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// True if a row that fails undoes all others.
    pub atomic: bool,
    /// True if nothing is to be changed.
    pub dry_run: bool,
}

/// What was done with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new post was created.
    Created,
    /// The post was changed.
    Updated,
    /// The post had these values already.
    Unchanged,
    /// The post exists, and conflicts are ignored.
    Ignored,
    /// The post was deleted.
    Deleted,
}

/// A row that did not fail.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// What was done.
    pub outcome: Outcome,
    /// The post. `None` for a new post in a dry run.
    pub id: Option<PostId>,
    /// The version of the post after the write, or of the deleted one.
    pub version: i64,
}

/// The rows of a request, in order.
pub type Rows = Vec<Result<Done, Error>>;

/// What a transaction did.
pub(super) struct Written {
    pub(super) rows: Rows,
    /// The bytes of new texts, which the search indexes.
    pub(super) bytes: usize,
    /// The stored answer of a request with a key.
    pub(super) answer: Option<StoredAnswer>,
}

impl Mode {
    /// True if a write with these outcomes changes nothing.
    pub(super) fn is_undone<T>(self, rows: &[Result<T, Error>]) -> bool {
        self.dry_run || self.atomic && rows.iter().any(Result::is_err)
    }

    /// Undoes the statements of `transaction` if a write with `rows` must change nothing.
    pub(super) fn conclude(self, transaction: &Transaction, rows: Rows, bytes: usize) -> Written {
        if self.is_undone(&rows) {
            transaction.discard();
        }
        Written {
            rows,
            bytes,
            answer: None,
        }
    }

    /// Releases `reservation` if the write failed or changed nothing.
    pub(super) fn settle(
        self,
        reservation: Reservation,
        written: Result<Written, Error>,
    ) -> Result<Written, Error> {
        match written {
            Ok(written) if self.is_undone(&written.rows) => {
                reservation.release();
                Ok(written)
            }
            written => reservation.settle(written),
        }
    }
}
