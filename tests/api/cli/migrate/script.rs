//! `acclaim migrate sql`

use std::process::Stdio;

use tokio::{io::AsyncWriteExt, process::Command};

use super::{all, lines, migrate, schema};
use crate::harness::{Fixture, apply, behaviour, ignore, postgres, process::run};

/// Runs `script` with `psql` or `sqlite3`.
pub async fn run_script(fixture: &Fixture, script: &str) {
    let mut command = if fixture.is_postgres() {
        let mut psql = postgres::programs().unwrap_or_default().join("psql");
        if !psql.exists() {
            psql = "psql".into();
        }
        let mut command = Command::new(psql);
        command.args(["--no-psqlrc", "--quiet", &fixture.owner_url]);
        command
    } else {
        let mut command = Command::new("sqlite3");
        command.arg(fixture.owner_url.trim_start_matches("sqlite://"));
        command
    };
    let process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut process) = process else {
        ignore("psql or sqlite3 is not installed");
    };
    let mut input = process.stdin.take().expect("no input");
    input
        .write_all(script.as_bytes())
        .await
        .expect("not written");
    drop(input);
    let ended = process.wait_with_output().await.expect("it did not end");
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{errors}");
}

#[apply(behaviour)]
async fn the_printed_script_does_what_up_does(fixture: Fixture) {
    let all = all(&fixture).await;
    lines(&fixture, &["up"]).await;
    let expected = schema(&fixture).await;
    // A reverted column would leave its number in PostgreSQL's catalogue.
    lines(&fixture, &["reset"]).await;
    lines(&fixture, &["up", "--to", "000002"]).await;
    // Those that are pending.
    let before = schema(&fixture).await;
    let pending = lines(&fixture, &["sql"]).await.join("\n");
    assert_eq!(schema(&fixture).await, before);
    assert!(
        !pending.contains(&all[1]) && pending.contains(&all[2]),
        "{pending}"
    );
    run_script(&fixture, &pending).await;
    assert_eq!(schema(&fixture).await, expected);
    assert_eq!(lines(&fixture, &["check"]).await, ["no differences"]);
    assert_eq!(lines(&fixture, &["sql"]).await, ["-- nothing to do"]);
    // All of them, into an empty database.
    lines(&fixture, &["reset"]).await;
    let script = lines(&fixture, &["sql", "--from", "base"]).await.join("\n");
    run_script(&fixture, &script).await;
    assert_eq!(lines(&fixture, &["up"]).await, ["nothing to do"]);
    assert_eq!(schema(&fixture).await, expected);
    assert_eq!(
        lines(&fixture, &["down", "--to", "base"]).await.len(),
        all.len()
    );
}

#[apply(behaviour)]
async fn a_range_is_printed_without_a_database(fixture: Fixture) {
    let names = all(&fixture).await;
    let nowhere = if fixture.is_postgres() {
        "postgres://ada@127.0.0.1:1/nothing"
    } else {
        "sqlite:///nowhere/nothing.db"
    };
    let arguments = ["migrate", "sql", "--from", "000001", "--to", "create_votes"];
    let printed = run(fixture.folder(), &arguments, &[("DATABASE_URL", nowhere)]).await;
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let recorded: Vec<_> = names
        .iter()
        .filter(|name| printed.stdout.contains(&format!("VALUES ('{name}'")))
        .collect();
    assert_eq!(recorded, [&names[1], &names[2]]);
    let unknown = migrate(&fixture, &["sql", "--from", "nothing"]).await;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("no migration is called `nothing`"));
}
