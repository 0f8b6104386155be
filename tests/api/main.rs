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

mod account;
mod architecture;
mod batches;
mod browsers;
mod conditional;
mod constraints;
mod conventions;
mod doctor;
mod documents;
mod faults;
mod feeds;
mod forgeries;
mod keys;
mod limits;
mod lists;
mod login;
mod matrix;
mod migrations;
mod naughty;
mod operator;
mod paging;
mod pool;
mod posts;
mod problems;
mod process;
mod races;
mod readers;
mod refresh;
mod refusals;
mod search;
mod sessions;
mod settings;
mod staff;
mod stale;
mod tls;
mod tokens;
mod tour;
mod users;
mod votes;

use std::process::ExitCode;

fn main() -> ExitCode {
    let plain = [architecture::plain(), documents::plain(), settings::plain()];
    let behaviours = [
        account::all(),
        batches::all(),
        browsers::all(),
        conditional::all(),
        constraints::all(),
        conventions::all(),
        doctor::all(),
        doctor::database::all(),
        documents::all(),
        faults::all(),
        feeds::all(),
        forgeries::all(),
        keys::all(),
        limits::all(),
        limits::clients::all(),
        limits::order::all(),
        lists::all(),
        login::all(),
        matrix::all(),
        migrations::all(),
        naughty::all(),
        operator::all(),
        paging::all(),
        pool::all(),
        posts::all(),
        problems::all(),
        process::all(),
        races::all(),
        readers::all(),
        refresh::all(),
        refusals::all(),
        search::all(),
        search::both::all(),
        search::order::all(),
        sessions::all(),
        staff::all(),
        stale::all(),
        tls::all(),
        tokens::all(),
        tour::all(),
        users::all(),
        votes::all(),
    ];
    harness::run(plain.concat(), behaviours.concat())
}
