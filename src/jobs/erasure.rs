//! Removes deleted text from an SQLite file: from the search index, and from free pages.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{db::Db, error::Error, metrics::Runs, services::posts::forget_deleted_words};

/// Time until the first run, so that it also runs on a server that restarts often.
const FIRST: Duration = Duration::from_mins(10);
/// Time between two runs. Deleted text must be gone after a day.
const PERIOD: Duration = Duration::from_hours(12);

pub(super) async fn run(db: Db, stop: CancellationToken, runs: Runs) -> Result<(), Error> {
    let work = async {
        sleep(FIRST).await;
        loop {
            erase(&db).await?;
            runs.succeeded();
            sleep(PERIOD).await;
        }
    };
    // Drops the step that runs, which rolls back.
    stop.run_until_cancelled(work).await.unwrap_or(Ok(()))
}

async fn erase(db: &Db) -> Result<(), Error> {
    // The merge frees pages with words.
    forget_deleted_words(db).await?;
    db.overwrite_free_pages().await
}
