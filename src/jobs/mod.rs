//! Background jobs: supervised work that repeats or runs later.

mod broken_requests;
mod checkpoint;
mod cleanup;
mod erasure;
mod events;
mod export;
mod last_used;
mod load;
mod merges;
mod probe;
mod rehash;
mod removal;
mod replicas;
mod statistics;
mod supervisor;
pub mod watchdog;
mod webhooks;

use crate::http::State;
pub use supervisor::Supervisor;

/// Starts every job of the service on the current runtime.
#[must_use]
pub fn start(state: &State) -> Supervisor {
    let supervisor = Supervisor::new(state.metrics.clone());
    let (db, refresh_lifetime) = (state.db.clone(), state.refresh_lifetime);
    supervisor.start("cleanup", move |stop, runs| {
        cleanup::run(db.clone(), refresh_lifetime, stop, runs)
    });
    let (db, exports) = (state.db.clone(), state.exports.clone());
    supervisor.start("export", move |stop, runs| {
        export::run(db.clone(), exports.clone(), stop, runs)
    });
    let (db, removals) = (state.db.clone(), state.removals.clone());
    supervisor.start("removal", move |stop, runs| {
        removal::run(db.clone(), removals.clone(), stop, runs)
    });
    let (db, uses) = (state.db.clone(), state.authenticator.uses().clone());
    supervisor.start("last-used", move |stop, runs| {
        last_used::run(db.clone(), uses.clone(), stop, runs)
    });
    let (db, hub) = (state.db.clone(), state.events.clone());
    let authenticator = state.authenticator.clone();
    supervisor.start("events", move |stop, runs| {
        events::run(db.clone(), hub.clone(), authenticator.clone(), stop, runs)
    });
    let (db, keep) = (state.db.clone(), state.events_keep);
    supervisor.start("event-removal", move |stop, runs| {
        events::remove(db.clone(), keep, stop, runs)
    });
    let (db, hub, shared) = (
        state.db.clone(),
        state.events.clone(),
        state.webhooks.clone(),
    );
    supervisor.start("webhook-search", move |stop, runs| {
        webhooks::find(db.clone(), hub.clone(), shared.clone(), stop, runs)
    });
    let (db, shared) = (state.db.clone(), state.webhooks.clone());
    supervisor.start("webhook-delivery", move |stop, runs| {
        webhooks::deliver(db.clone(), shared.clone(), stop, runs)
    });
    let db = state.db.clone();
    supervisor.start("statistics", move |stop, runs| {
        statistics::run(db.clone(), stop, runs)
    });
    let db = state.db.clone();
    supervisor.start("probe", move |stop, _| probe::run(db.clone(), stop));
    if state.db.has_replicas() {
        let db = state.db.clone();
        supervisor.start("replicas", move |stop, _| replicas::run(db.clone(), stop));
    }
    if let Some(merges) = state.db.merges() {
        let (db, merges) = (state.db.clone(), merges.clone());
        supervisor.start("merges", move |stop, runs| {
            merges::run(db.clone(), merges.clone(), stop, runs)
        });
    }
    if let Some(log) = state.db.write_ahead_log() {
        supervisor.start("checkpoint", move |stop, runs| {
            checkpoint::run(log.clone(), stop, runs)
        });
        let db = state.db.clone();
        supervisor.start("erasure", move |stop, runs| {
            erasure::run(db.clone(), stop, runs)
        });
    }
    supervisor.start("broken-requests", broken_requests::run);
    let (db, passwords) = (state.db.clone(), state.passwords.clone());
    let rehashes = state.rehashes.clone();
    supervisor.start("rehash", move |stop, runs| {
        rehash::run(db.clone(), passwords.clone(), rehashes.clone(), stop, runs)
    });
    supervisor
}
