//! Batches of rows whose answers are stored. The rows that are repeated get their stored answers, in the
//! transaction in which the others are written.

use std::sync::Arc;

use entity::values::UserId;

use super::{Keyed, StoredAnswer, read, store};
use crate::{db::Transaction, error::Error};

/// A row of a batch, whose answer is stored.
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
    repeated: Vec<Option<KeyedOutput>>,
}

impl<'a, R, T> KeyedBatch<'a, R, T> {
    /// Looks for the stored answers of `rows`, as the first statement of their transaction.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn find(
        transaction: &Transaction,
        rows: &'a [Arc<KeyedRow<R, T>>],
    ) -> Result<Self, Error> {
        let keys = rows.iter().map(|row| row.keyed.request.scoped_key());
        let keys: Vec<_> = keys.collect();
        let mut found = read::find_all(transaction, keys.clone()).await?;
        let answer = |(row, key): (&'a Arc<KeyedRow<R, T>>, _)| {
            let found = row.keyed.request.found(found.remove(key)?);
            Some(found.and_then(|found| found.into_answer().map(Some)))
        };
        let repeated = rows.iter().zip(&keys).map(answer).collect();
        Ok(Self { rows, repeated })
    }

    /// The rows to write.
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
        store::store_all(transaction, answers).await?;
        Ok(outputs)
    }
}
