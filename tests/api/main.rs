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

mod harness;

mod architecture;
mod browsers;
mod constraints;
mod conventions;
mod doctor;
mod documents;
mod faults;
mod lists;
mod login;
mod migrations;
mod naughty;
mod posts;
mod problems;
mod process;
mod races;
mod refusals;
mod settings;
mod tls;
mod tokens;
mod tour;
mod users;
mod votes;

use std::process::ExitCode;

fn main() -> ExitCode {
    let plain = [architecture::plain(), documents::plain(), settings::plain()];
    let behaviours = [
        browsers::all(),
        constraints::all(),
        conventions::all(),
        doctor::all(),
        doctor::database::all(),
        documents::all(),
        faults::all(),
        lists::all(),
        login::all(),
        migrations::all(),
        naughty::all(),
        posts::all(),
        problems::all(),
        process::all(),
        races::all(),
        refusals::all(),
        tls::all(),
        tokens::all(),
        tour::all(),
        users::all(),
        votes::all(),
    ];
    harness::run(plain.concat(), behaviours.concat())
}
