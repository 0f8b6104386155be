//! Looks at the replicas of the database.

use tokio_util::sync::CancellationToken;

use crate::{db::Db, error::Error};

pub(super) async fn run(db: Db, stop: CancellationToken) -> Result<(), Error> {
    stop.run_until_cancelled(db.watch_replicas()).await;
    Ok(())
}
