//! Runs the tests: each behaviour once per database, each check once.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use super::{Behaviour, Check, Fixture, Kind, postgres};

/// Runs the registered tests that the command line selects, sorted by name.
pub fn run() -> ExitCode {
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
        eprintln!("\n!!! NO POSTGRESQL FOUND: the tests run on SQLite only !!!\n");
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
    let mut trials = Vec::new();
    for &Check { name, run } in inventory::iter::<Check> {
        trials.push(Trial::test(name, move || {
            run();
            Ok(())
        }));
    }
    let runtime = tokio::runtime::Runtime::new().expect("no runtime");
    for &Behaviour { name, run } in inventory::iter::<Behaviour> {
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
    trials.sort_by(|one, other| one.name().cmp(other.name()));
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(runtime);
    drop(server);
    conclusion.exit_code()
}
