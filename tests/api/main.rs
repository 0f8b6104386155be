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
mod conventions;
mod documents;
mod faults;
mod lists;
mod login;
mod migrations;
mod naughty;
mod posts;
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

use libtest_mimic::{Arguments, Trial};

use harness::{Behaviour, Fixture, Kind, postgres};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if let Ok(filter) = std::env::var("TEST_LOG") {
        acclaim::telemetry::start(
            filter.parse().expect("TEST_LOG is not a filter"),
            acclaim::config::LogFormat::Text,
        );
    }
    let server = if arguments.list {
        None
    } else {
        postgres::find()
    };
    if server.is_none() && !arguments.list {
        eprintln!("\n!!! NO POSTGRESQL FOUND: everything is tested on SQLite alone !!!\n");
        if std::env::var_os("CI").is_some() {
            eprintln!("CI must test on both: install PostgreSQL or set TEST_DATABASE_URL");
            return ExitCode::FAILURE;
        }
    }
    let mut kinds = vec![Kind::Sqlite];
    if let Some(server) = &server {
        eprintln!("testing on SQLite and on {server}");
        kinds.push(Kind::Postgres(server.url.clone()));
    }
    let mut trials = [architecture::plain(), documents::plain(), settings::plain()]
        .concat()
        .into_iter()
        .map(|(name, run)| {
            Trial::test(name, move || {
                run();
                Ok(())
            })
        })
        .collect::<Vec<_>>();
    let runtime = tokio::runtime::Runtime::new().expect("no runtime");
    let behaviours = [
        browsers::all(),
        conventions::all(),
        documents::all(),
        faults::all(),
        lists::all(),
        login::all(),
        migrations::all(),
        naughty::all(),
        posts::all(),
        process::all(),
        races::all(),
        refusals::all(),
        tls::all(),
        tokens::all(),
        tour::all(),
        users::all(),
        votes::all(),
    ];
    for Behaviour { name, run } in behaviours.concat() {
        for kind in kinds.clone() {
            let name = format!("{name}::{kind}");
            let handle = runtime.handle().clone();
            trials.push(Trial::test(name, move || {
                handle.block_on(async {
                    let fixture = Fixture::new(kind).await;
                    let ran = tokio::spawn(run(fixture.clone())).await;
                    fixture.end().await;
                    ran.map_err(|panic| panic.to_string().into())
                })
            }));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(runtime);
    drop(server);
    conclusion.exit_code()
}
