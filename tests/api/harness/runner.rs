//! Runs the tests: each behaviour once per database, each check once.

use std::{
    panic::{resume_unwind, set_hook, take_hook},
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::{runtime::Runtime, task::JoinError};

use super::{Behaviour, Check, Fixture, Kind, postgres};

/// The panics of this process that printed a message.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Runs the registered tests that the command line selects, sorted by name.
///
/// Fails without PostgreSQL in CI; elsewhere its tests are ignored then. Fails if something panicked
/// although no test failed: a panic that no test expects is a fault. An expected one prints nothing if
/// it is raised by [`resume_unwind`].
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
    match &server {
        Some(server) => eprintln!("testing on SQLite and on {server}"),
        None if arguments.list => {}
        None if is_ci() => {
            eprintln!("CI must test on both: install PostgreSQL or set TEST_DATABASE_URL");
            return ExitCode::FAILURE;
        }
        None => eprintln!("\n!!! NO POSTGRESQL FOUND: its tests are ignored !!!\n"),
    }
    let postgres = server
        .as_ref()
        .map(|server| Kind::Postgres(server.url.clone()));
    let runtime = Runtime::new().expect("no runtime");
    let mut trials = Vec::new();
    for &Check { name, run } in inventory::iter::<Check> {
        trials.push(Trial::test(name, move || {
            run();
            Ok(())
        }));
    }
    for behaviour in inventory::iter::<Behaviour> {
        if behaviour.databases.sqlite() {
            trials.push(trial(behaviour, "sqlite", Some(Kind::Sqlite), &runtime));
        }
        if behaviour.databases.postgres() {
            trials.push(trial(behaviour, "postgres", postgres.clone(), &runtime));
        }
    }
    trials.sort_by(|one, other| one.name().cmp(other.name()));
    count_panics();
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(runtime);
    drop(server);
    let panics = PANICS.load(Ordering::Relaxed);
    if panics > 0 && !conclusion.has_failed() {
        eprintln!("no test failed, but there were {panics} panics; their messages are above");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// The test of `behaviour` on `database`. It is ignored if there is none.
fn trial(behaviour: &Behaviour, name: &str, database: Option<Kind>, runtime: &Runtime) -> Trial {
    let (run, handle) = (behaviour.run, runtime.handle().clone());
    Trial::ignorable_test(format!("{}::{name}", behaviour.name), move || {
        let Some(kind) = database else {
            return Ok(Completion::ignored_with("PostgreSQL is not installed"));
        };
        handle.block_on(async {
            let fixture = Fixture::new(kind).await;
            let ran = tokio::spawn(run(fixture.clone())).await;
            fixture.end().await;
            ran.map_or_else(unfinished, |()| Ok(Completion::Completed))
        })
    })
}

/// The reason why a behaviour did not run.
struct NotRun(&'static str);

/// Ends the behaviour that calls it, which then counts as ignored, for instance because a program is not
/// installed. Fails it in CI.
pub fn ignore(reason: &'static str) -> ! {
    assert!(!is_ci(), "CI must run every test: {reason}");
    not_asked_for(reason)
}

/// Like [`ignore`], also in CI, for a behaviour that runs only on demand.
pub fn not_asked_for(reason: &'static str) -> ! {
    resume_unwind(Box::new(NotRun(reason)))
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some()
}

/// The outcome of a behaviour that panicked or called [`ignore`].
fn unfinished(error: JoinError) -> Result<Completion, Failed> {
    let message = error.to_string();
    let panic = error.try_into_panic().ok();
    match panic.and_then(|panic| panic.downcast::<NotRun>().ok()) {
        Some(not_run) => Ok(Completion::ignored_with(not_run.0)),
        None => Err(message.into()),
    }
}

fn count_panics() {
    let print = take_hook();
    set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        print(panic);
    }));
}
