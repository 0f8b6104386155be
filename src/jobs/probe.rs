//! Looks for the return of a database that cannot be reached.

use tokio_util::sync::CancellationToken;

use crate::{db::Db, error::Error};

pub(super) async fn run(db: Db, stop: CancellationToken) -> Result<(), Error> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        never = db.probe() => match never {},
    }
}
