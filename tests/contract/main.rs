//! Third-party tools against the OpenAPI document: a linter, a fuzzer, Postman, Bruno, browsers,
//! generated clients, OAuth 2.0 libraries, receivers of webhooks and a parser of metrics, each with a real server on SQLite and on PostgreSQL.
//!
//! `tests/contract/install` installs the tools. `.ci/run` runs both; by hand:
//! `tests/contract/install && cargo test --test contract`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

#[path = "../api/harness/mod.rs"]
#[expect(
    clippy::panic,
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with `tests/api`, which uses all of it"
)]
mod harness;

mod browser;
mod clients;
mod document;
mod fuzz;
mod generator;
mod importers;
mod metrics;
mod oauth;
mod postman;
mod tools;
mod webhooks;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::run()
}
