//! Acclaim as its users meet it: over HTTP and on the command line, each behaviour on SQLite and on
//! PostgreSQL.
//!
//! PostgreSQL is the server of `TEST_DATABASE_URL` where that is set, else a temporary one started
//! from the programs found on the machine. `TEST_LOG=debug` shows what the servers log.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed"
)]

mod account;
mod architecture;
mod auth;
mod cli;
mod config;
mod constraints;
mod conventions;
mod cors;
mod db;
mod documents;
mod harness;
mod limits;
mod moderation;
mod permissions;
mod posts;
mod problems;
mod readme;
mod server;
mod users;
mod votes;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::run()
}
