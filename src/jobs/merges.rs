//! Merges new words into PostgreSQL's search index.

use tokio_util::sync::CancellationToken;

use crate::{
    db::{Db, Merges},
    error::Error,
    metrics::Runs,
    services::posts::merge_new_words,
};

pub(super) async fn run(
    db: Db,
    merges: Merges,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let work = merges.run(async || {
        merge_new_words(&db).await?;
        runs.succeeded();
        Ok(())
    });
    // PostgreSQL keeps what an interrupted merge has done.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}
