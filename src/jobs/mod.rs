//! Background jobs: supervised work that repeats or runs later.

mod broken_requests;
mod checkpoint;
mod cleanup;
mod erasure;
mod export;
mod last_used;
mod merges;
mod probe;
mod rehash;
mod removal;
mod supervisor;
pub mod watchdog;

use crate::{
    db::Db,
    services::{
        auth::{Authenticator, passwords::Passwords, rehash::RehashQueue},
        export::Exports,
        removal::Removals,
    },
};
pub use supervisor::Supervisor;

/// Starts every job of the service on the current runtime.
#[must_use]
pub fn start(
    db: &Db,
    passwords: &Passwords,
    rehashes: &RehashQueue,
    exports: &Exports,
    removals: &Removals,
    authenticator: &Authenticator,
    refresh_lifetime: time::Duration,
) -> Supervisor {
    let supervisor = Supervisor::default();
    let cleanup_db = db.clone();
    supervisor.start("cleanup", move |stop| {
        cleanup::run(cleanup_db.clone(), refresh_lifetime, stop)
    });
    let (export_db, exports) = (db.clone(), exports.clone());
    supervisor.start("export", move |stop| {
        export::run(export_db.clone(), exports.clone(), stop)
    });
    let (removal_db, removals) = (db.clone(), removals.clone());
    supervisor.start("removal", move |stop| {
        removal::run(removal_db.clone(), removals.clone(), stop)
    });
    let (uses_db, uses) = (db.clone(), authenticator.uses().clone());
    supervisor.start("last-used", move |stop| {
        last_used::run(uses_db.clone(), uses.clone(), stop)
    });
    let probed_db = db.clone();
    supervisor.start("probe", move |stop| probe::run(probed_db.clone(), stop));
    if let Some(merges) = db.merges() {
        let (merged_db, merges) = (db.clone(), merges.clone());
        supervisor.start("merges", move |stop| {
            merges::run(merged_db.clone(), merges.clone(), stop)
        });
    }
    if let Some(log) = db.write_ahead_log() {
        supervisor.start("checkpoint", move |stop| checkpoint::run(log.clone(), stop));
        let erasure_db = db.clone();
        supervisor.start("erasure", move |stop| {
            erasure::run(erasure_db.clone(), stop)
        });
    }
    let (db, passwords, rehashes) = (db.clone(), passwords.clone(), rehashes.clone());
    supervisor.start("broken-requests", broken_requests::run);
    supervisor.start("rehash", move |stop| {
        rehash::run(db.clone(), passwords.clone(), rehashes.clone(), stop)
    });
    supervisor
}
