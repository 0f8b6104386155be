//! Batches of rows whose answers are stored. The rows that are repeated get their stored answers, in the
//! transaction in which the others are written.
//!
//! Repetitions are rare: the statement that writes leaves them out, and only if it has left out any row, a
//! second one looks for their answers.

use std::sync::Arc;

use entity::values::UserId;
use time::OffsetDateTime;

use super::{Keyed, ScopedKey, StoredAnswer, cutoff, read, store};
use crate::{
    db::{RowFilter, Transaction},
    error::Error,
};

/// A row of a batch, whose answer is stored.
#[derive(Clone)]
pub(in crate::services) struct KeyedRow<R, T> {
    /// The row itself.
    pub row: R,
    /// The caller.
    pub user: UserId,
    /// The request.
    pub keyed: Keyed<T>,
}

/// The answer of a row: of its write, or a stored one. `None` if the write changed nothing: then nothing
/// is stored. [`Error::IdempotencyKeyReused`] if the key belongs to another request.
pub(in crate::services) type KeyedOutput = Result<Option<StoredAnswer>, Error>;

/// The rows of a batch, and the answers of those that are repeated.
pub(in crate::services) struct KeyedBatch<'a, R, T> {
    rows: &'a [Arc<KeyedRow<R, T>>],
    keys: Vec<ScopedKey>,
    /// Answers from before this time count as missing.
    cutoff: OffsetDateTime,
    repeated: Vec<Option<KeyedOutput>>,
}

impl<'a, R, T> KeyedBatch<'a, R, T> {
    /// A batch of `rows`, none of which counts as repeated before [`find`](Self::find).
    pub fn new(rows: &'a [Arc<KeyedRow<R, T>>]) -> Self {
        let keys = rows.iter().map(|row| row.keyed.request.scoped_key());
        Self {
            rows,
            keys: keys.collect(),
            cutoff: cutoff(),
            repeated: rows.iter().map(|_| None).collect(),
        }
    }

    /// The condition that a row is not repeated, for a table with the rows of the batch.
    pub fn is_new(&self) -> RowFilter {
        read::without_answer(&self.keys, self.cutoff)
    }

    /// Looks for the stored answers, after a statement with [`is_new`](Self::is_new) has left out rows.
    ///
    /// PostgreSQL may have committed answers since. The caller must give each written row to a new one, and
    /// otherwise fail with [`Error::TryAgain`].
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn find(&mut self, transaction: &Transaction) -> Result<(), Error> {
        let mut found = read::find_all(transaction, &self.keys, self.cutoff).await?;
        let answer = |(row, key): (&'a Arc<KeyedRow<R, T>>, _)| {
            let found = row.keyed.request.found(found.remove(key)?);
            Some(found.and_then(|found| found.into_answer().map(Some)))
        };
        self.repeated = self.rows.iter().zip(&self.keys).map(answer).collect();
        Ok(())
    }

    /// The rows that are not repeated.
    pub fn new_rows(&self) -> impl Iterator<Item = &'a KeyedRow<R, T>> {
        let rows = self.rows.iter().zip(&self.repeated);
        rows.filter(|(_, repeated)| repeated.is_none())
            .map(|(row, _)| &**row)
    }

    /// Stores the answers of the new rows, as the last statement of the transaction. `results` has the
    /// result of each: `None` if nothing was changed. Returns the output of each row of the batch.
    ///
    /// # Errors
    /// [`Error::TryAgain`] if another server has stored an answer with one of the keys meanwhile: the next
    /// attempt finds it.
    pub async fn store(
        self,
        transaction: &Transaction,
        results: impl IntoIterator<Item = Option<T>>,
    ) -> Result<Vec<KeyedOutput>, Error> {
        let mut results = results.into_iter();
        let (mut outputs, mut answers) = (Vec::with_capacity(self.rows.len()), Vec::new());
        for (row, repeated) in self.rows.iter().zip(self.repeated) {
            if let Some(output) = repeated {
                outputs.push(output);
                continue;
            }
            let result = results.next().flatten();
            let answer = result.map(|result| row.keyed.answer(row.user, &result));
            let (answer, stored) = answer.transpose()?.unzip();
            outputs.push(Ok(answer));
            answers.extend(stored);
        }
        store::store_all(transaction, answers, self.cutoff).await?;
        Ok(outputs)
    }
}
