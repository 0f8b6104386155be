//! Reads the exports.

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use crate::{
    db::Db,
    error::Error,
    metrics::Runs,
    services::export::{Exports, read},
};

/// Reads all exports that are in progress at once. At the stop it drops them: their responses end
/// incomplete.
pub(super) async fn run(
    db: Db,
    exports: Exports,
    stop: CancellationToken,
    runs: Runs,
) -> Result<(), Error> {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            next = exports.next() => match next {
                Some(export) => running.push(read(&db, export)),
                None => return Ok(()),
            },
            Some(()) = running.next() => runs.succeeded(),
        }
    }
}
