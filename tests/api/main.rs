//! Tests over HTTP and on the command line, each on SQLite and on PostgreSQL. The modules have the
//! names of the modules in `src`.
//!
//! PostgreSQL is the server of `TEST_DATABASE_URL` if set, otherwise a temporary one, started from
//! the installed programs. `TEST_LOG=debug` prints the servers' log.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod account;
mod architecture;
mod auth;
mod caching;
mod cli;
mod config;
mod connections;
mod constraints;
mod conventions;
mod cors;
mod db;
mod documents;
mod events;
mod export;
#[expect(dead_code, reason = "shared with `tests/faults`, which uses the rest")]
mod harness;
mod idempotency;
mod import;
mod input;
mod limits;
mod metrics;
mod moderation;
mod pages;
mod permissions;
mod posts;
mod problems;
mod quotas;
mod removal;
mod server;
mod statistics;
mod storage;
mod traces;
mod users;
mod votes;
mod webhooks;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::run()
}
