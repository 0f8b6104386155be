//! Migrations of a database in use.

use migration::{
    Command, Error, MigrationName, MigrationTrait, Migrator, MigratorTrait, Report, SchemaManager,
    dialect, run_list,
};
use sea_orm::{ConnectionTrait, DbErr, TransactionTrait};

use super::{as_owner, execute, lines, migrate, schema, script::run_script};
use crate::harness::{Fixture, apply, behaviour, column, postgres_behaviour, process, wait_for};

const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Migration 20 replaces a trigger of `posts`, so a transaction that reads `posts` holds it up.
#[apply(postgres_behaviour)]
async fn a_migration_that_waits_for_a_lock_gives_way_and_tries_again(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let reader = connection.begin().await.expect("no transaction");
    let read = "SELECT count(*) FROM posts";
    reader.execute_unprepared(read).await.expect(read);
    let watcher = fixture.connect().await;
    let settings = [("DATABASE_URL", fixture.owner_url.as_str())];
    let mut down = process::acclaim(
        fixture.folder(),
        &["migrate", "down", "--to", "000019"],
        &settings,
    );
    let down = down.spawn().expect("acclaim did not start");
    wait_for(&watcher, WAITING, &["1"]).await;
    // It has given way, and will try again.
    wait_for(&watcher, WAITING, &["0"]).await;
    assert_eq!(column(&watcher, read).await, ["0"]);
    reader.rollback().await.expect("no rollback");
    let ended = down.wait_with_output().await.expect("it did not end");
    assert!(ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stdout).starts_with("reverted m"));
}

#[apply(postgres_behaviour)]
async fn a_migration_that_gets_no_lock_changes_nothing(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let before = schema(&fixture).await;
    let reader = connection.begin().await.expect("no transaction");
    let read = "SELECT count(*) FROM posts";
    reader.execute_unprepared(read).await.expect(read);
    let failed = migrate(&fixture, &["down", "--to", "000019"]).await;
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(2), ""));
    assert!(
        failed.stderr.contains("waited too long for a lock"),
        "{}",
        failed.stderr
    );
    assert_eq!(failed.stderr.lines().count(), 1, "{}", failed.stderr);
    assert_eq!(schema(&fixture).await, before);
    reader.rollback().await.expect("no rollback");
    assert_ne!(lines(&fixture, &["down"]).await, ["nothing to do"]);
}

struct Online;

impl MigrationName for Online {
    fn name(&self) -> &'static str {
        "m29991231_999999_index_titles"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Online {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create_index_online(manager, "posts_title_idx", "ON posts (title)").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::drop_index_online(manager, "posts_title_idx").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}

/// The migrations of the program, and one that runs outside a transaction.
fn with_online() -> Vec<Box<dyn MigrationTrait>> {
    let mut migrations = Migrator::migrations();
    migrations.push(Box::new(Online));
    migrations
}

async fn run(fixture: &Fixture, command: &Command) -> Result<Report, Error> {
    run_list(&fixture.owned_database(), command, &with_online()).await
}

async fn printed(fixture: &Fixture, command: &Command) -> Vec<String> {
    let report = run(fixture, command).await.expect("the run failed");
    report.to_string().lines().map(str::to_owned).collect()
}

async fn index(fixture: &Fixture) -> Vec<String> {
    let connection = fixture.connect().await;
    let sql = if fixture.is_postgres() {
        "SELECT indisvalid::text FROM pg_index WHERE indexrelid = to_regclass('posts_title_idx')"
    } else {
        "SELECT 'true' FROM sqlite_master WHERE name = 'posts_title_idx'"
    };
    column(&connection, sql).await
}

#[apply(behaviour)]
async fn an_index_is_built_outside_the_transaction(fixture: Fixture) {
    let applied = printed(&fixture, &Command::UP).await;
    assert_eq!(applied.len(), with_online().len());
    assert_eq!(
        applied.last().expect("no line"),
        "applied  m29991231_999999_index_titles"
    );
    assert_eq!(index(&fixture).await, ["true"]);
    assert_eq!(printed(&fixture, &Command::UP).await, ["nothing to do"]);
    let reverted = printed(&fixture, &Command::DOWN).await;
    assert_eq!(reverted, ["reverted m29991231_999999_index_titles"]);
    assert_eq!(index(&fixture).await, [""; 0]);
    let sql = Command::Sql {
        from: None,
        to: "head".to_owned(),
    };
    let script = printed(&fixture, &sql).await;
    let concurrently = "CREATE INDEX CONCURRENTLY posts_title_idx ON posts (title);".to_owned();
    assert_eq!(
        script.contains(&concurrently),
        fixture.is_postgres(),
        "{script:#?}"
    );
    assert_eq!(
        script.contains(&"COMMIT;".to_owned()),
        !fixture.is_postgres()
    );
    // psql stops at a statement that fails, and lists no migration that was not applied.
    let first = if fixture.is_postgres() {
        "\\set ON_ERROR_STOP on"
    } else {
        ".bail on"
    };
    assert_eq!(script[0], first);
    run_script(&fixture, &script.join("\n")).await;
    assert_eq!(index(&fixture).await, ["true"]);
    assert_eq!(printed(&fixture, &Command::UP).await, ["nothing to do"]);
}

struct Slow;

impl MigrationName for Slow {
    fn name(&self) -> &'static str {
        "m29991231_999999_slow"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Slow {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let slow = connection.execute_unprepared("SELECT pg_sleep(2.2)");
        slow.await.map(drop)
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}

/// The role that migrates may have a limit, which would end `CREATE INDEX CONCURRENTLY` each time.
#[apply(postgres_behaviour)]
async fn a_migration_outside_a_transaction_has_no_time_limit(fixture: Fixture) {
    fixture.migrate().await;
    let limit = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = %L',
        current_database(), '2s'); END $$";
    execute(&fixture.connect().await, limit).await;
    let mut migrations = Migrator::migrations();
    migrations.push(Box::new(Slow));
    let database = fixture.owned_database();
    let run = run_list(&database, &Command::UP, &migrations).await;
    run.expect("the run failed");
}

/// A run that waits for the lock of the other must not hold a snapshot, which would hold up the index.
#[apply(behaviour)]
async fn concurrent_runs_build_an_index_once(fixture: Fixture) {
    let up = Command::UP;
    let runs = [(); 3].map(|()| printed(&fixture, &up));
    let mut printed = futures_util::future::join_all(runs).await;
    printed.sort();
    assert_eq!(printed[1..], [["nothing to do"], ["nothing to do"]]);
    assert_eq!(printed[0].len(), with_online().len());
    assert_eq!(index(&fixture).await, ["true"]);
}

#[apply(postgres_behaviour)]
async fn an_invalid_index_is_built_again(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let writer = connection.begin().await.expect("no transaction");
    let write = "LOCK TABLE posts IN ROW EXCLUSIVE MODE";
    writer.execute_unprepared(write).await.expect(write);
    let interrupt = async {
        let watcher = fixture.connect().await;
        let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
        wait_for(&watcher, invalid, &["1"]).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'";
        execute(&watcher, end).await;
    };
    let (stopped, ()) = tokio::join!(run(&fixture, &Command::UP), interrupt);
    let stopped = stopped.expect_err("it was not interrupted").to_string();
    assert!(
        stopped.contains("m29991231_999999_index_titles"),
        "{stopped}"
    );
    assert_eq!(index(&fixture).await, ["false"]);
    writer.rollback().await.expect("no rollback");
    let applied = printed(&fixture, &Command::UP).await;
    assert_eq!(applied, ["applied  m29991231_999999_index_titles"]);
    assert_eq!(index(&fixture).await, ["true"]);
}

/// A stand-in for a database that has its own `version()`.
#[apply(postgres_behaviour)]
async fn a_database_that_ignores_the_lock_is_refused(fixture: Fixture) {
    let connection = fixture.connect().await;
    let stand_in = "CREATE SCHEMA stand_in;
        CREATE FUNCTION stand_in.version() RETURNS text LANGUAGE sql AS
            $$ SELECT 'CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)' $$;
        DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = stand_in, pg_catalog, public',
            current_database()); END $$";
    execute(&connection, stand_in).await;
    let sentence = "runs on CockroachDB, which ignores the advisory lock";
    for arguments in [&["up"][..], &["status"], &["check"]] {
        let refused = migrate(&fixture, arguments).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
        assert!(refused.stderr.contains(sentence), "{}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
    let doctor = as_owner(&fixture, &["doctor"]).await;
    assert_eq!(doctor.code, Some(1));
    let fault = doctor.stdout.lines().find(|line| line.contains(sentence));
    assert!(
        fault.is_some_and(|line| line.starts_with("fault")),
        "{}",
        doctor.stdout
    );
}
