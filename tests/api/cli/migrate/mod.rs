//! `acclaim migrate`

mod check;
mod drafts;
mod grants;
mod names;
mod online;
mod script;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::task::JoinSet;

use super::as_owner;
use crate::harness::{
    Fixture, apply, behaviour, column,
    process::{Ended, run},
};

async fn migrate(fixture: &Fixture, arguments: &[&str]) -> Ended {
    let arguments: Vec<&str> = ["migrate"].iter().chain(arguments).copied().collect();
    as_owner(fixture, &arguments).await
}

async fn lines(fixture: &Fixture, arguments: &[&str]) -> Vec<String> {
    let ended = migrate(fixture, arguments).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout.lines().map(str::to_owned).collect()
}

fn report_lines(action: &str, names: &[String]) -> Vec<String> {
    names
        .iter()
        .map(|name| format!("{action:<8} {name}"))
        .collect()
}

/// The names of all migrations, oldest first, from `migrate status` on an empty database.
async fn all(fixture: &Fixture) -> Vec<String> {
    let url = if fixture.is_postgres() {
        fixture.owner_url.clone()
    } else {
        // The database of the test has no file yet.
        let empty = fixture.folder().join("empty.db");
        std::fs::File::create(&empty).expect("no file");
        format!("sqlite://{}", empty.display())
    };
    let arguments = ["migrate", "status"];
    let status = run(fixture.folder(), &arguments, &[("DATABASE_URL", &url)]).await;
    assert_eq!((status.code, status.stderr.as_str()), (Some(1), ""));
    let names = status.stdout.lines().map(|line| {
        let name = line.strip_prefix("pending  ").expect(line);
        name.to_owned()
    });
    let names: Vec<_> = names.collect();
    assert!(names.len() >= 11 && names.is_sorted(), "{names:#?}");
    names
}

fn newest_first(all: &[String]) -> Vec<String> {
    all.iter().rev().cloned().collect()
}

/// The whole schema as text, from the catalogue.
async fn schema(fixture: &Fixture) -> Vec<String> {
    let connection = fixture.connect().await;
    let queries: &[&str] = if fixture.is_postgres() {
        &[
            "SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, is_nullable, \
             column_default, is_identity) FROM information_schema.columns \
             WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
            "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
             WHERE connamespace = 'public'::regnamespace ORDER BY conname",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname",
            "SELECT pg_get_functiondef(oid) FROM pg_proc \
             WHERE pronamespace = 'public'::regnamespace ORDER BY proname",
        ]
    } else {
        &[
            "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY type, name",
        ]
    };
    let mut schema = Vec::new();
    for query in queries {
        schema.extend(column(&connection, query).await);
    }
    schema
}

#[apply(behaviour)]
async fn up_down_and_up_again_leave_the_same_schema(fixture: Fixture) {
    let all = all(&fixture).await;
    let newest_first = newest_first(&all);
    assert_eq!(
        lines(&fixture, &["up", "-n", "2"]).await,
        report_lines("applied", &all[..2])
    );
    assert_eq!(
        lines(&fixture, &["up"]).await,
        report_lines("applied", &all[2..])
    );
    let first = schema(&fixture).await;
    assert!(
        first.iter().any(|line| line.contains("votes_user_id_fkey")),
        "{first:#?}"
    );
    assert_eq!(lines(&fixture, &["up"]).await, ["nothing to do"]);
    assert_eq!(
        lines(&fixture, &["down", "-n", "1"]).await,
        report_lines("reverted", &newest_first[..1])
    );
    assert_eq!(
        lines(&fixture, &["down"]).await,
        report_lines("reverted", &newest_first[1..2])
    );
    assert_eq!(
        lines(
            &fixture,
            &["down", "-n", &newest_first[2..].len().to_string()]
        )
        .await,
        report_lines("reverted", &newest_first[2..])
    );
    let empty = schema(&fixture).await;
    assert!(
        empty
            .iter()
            .all(|line| line.contains("seaql_migrations") || line.contains("sqlite_")),
        "{empty:#?}"
    );
    assert_eq!(lines(&fixture, &["down"]).await, ["nothing to do"]);
    assert_eq!(
        lines(&fixture, &["up"]).await,
        report_lines("applied", &all)
    );
    assert_eq!(schema(&fixture).await, first);
}

#[apply(behaviour)]
async fn each_migration_reverts_to_the_schema_before_it(fixture: Fixture) {
    let all = all(&fixture).await;
    let newest_first = newest_first(&all);
    let mut before = Vec::new();
    for name in &all {
        let applied = lines(&fixture, &["up", "-n", "1"]).await;
        assert_eq!(applied, report_lines("applied", std::slice::from_ref(name)));
        before.push(schema(&fixture).await);
    }
    before.pop();
    for (name, before) in newest_first.iter().zip(before.into_iter().rev()) {
        let reverted = lines(&fixture, &["down"]).await;
        assert_eq!(
            reverted,
            report_lines("reverted", std::slice::from_ref(name))
        );
        assert_eq!(schema(&fixture).await, before, "{name}");
    }
}

#[apply(behaviour)]
async fn status_lists_applied_and_pending_migrations(fixture: Fixture) {
    let all = all(&fixture).await;
    lines(&fixture, &["up", "-n", "1"]).await;
    let some = migrate(&fixture, &["status"]).await;
    let expected = [
        report_lines("applied", &all[..1]),
        report_lines("pending", &all[1..]),
    ]
    .concat();
    assert_eq!(some.stdout.lines().collect::<Vec<_>>(), expected);
    assert_eq!(some.code, Some(1));
    lines(&fixture, &["up"]).await;
    assert_eq!(
        lines(&fixture, &["status"]).await,
        report_lines("applied", &all)
    );
}

#[apply(behaviour)]
async fn concurrent_runs_wait_for_each_other(fixture: Fixture) {
    let all = all(&fixture).await;
    let mut runs = JoinSet::new();
    for _ in 0..4 {
        let fixture = fixture.clone();
        runs.spawn(async move { lines(&fixture, &["up"]).await });
    }
    let mut printed = runs.join_all().await;
    printed.sort();
    let mut expected = vec![vec!["nothing to do".to_owned()]; 3];
    expected.insert(0, report_lines("applied", &all));
    assert_eq!(printed, expected);
}

async fn execute(connection: &DatabaseConnection, sql: &str) {
    connection.execute_unprepared(sql).await.expect(sql);
}

#[apply(behaviour)]
async fn a_failing_migration_changes_nothing(fixture: Fixture) {
    let all = all(&fixture).await;
    lines(&fixture, &["up", "-n", "1"]).await;
    let before = schema(&fixture).await;
    // The third migration fails because its table exists, after the second was applied.
    let connection = sea_orm::Database::connect(format!(
        "{}{}",
        fixture.owner_url,
        if fixture.is_postgres() {
            ""
        } else {
            "?mode=rwc"
        }
    ))
    .await
    .unwrap();
    execute(&connection, "CREATE TABLE votes (x int)").await;
    let failed = migrate(&fixture, &["up"]).await;
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(2), ""));
    assert!(
        failed.stderr.contains(&all[2]) && failed.stderr.contains("nothing was changed"),
        "{}",
        failed.stderr
    );
    execute(&connection, "DROP TABLE votes").await;
    assert_eq!(schema(&fixture).await, before);
    assert_eq!(
        lines(&fixture, &["up"]).await,
        report_lines("applied", &all[1..])
    );
}

#[apply(behaviour)]
async fn fresh_refresh_and_reset_work_on_a_filled_database(fixture: Fixture) {
    let all = all(&fixture).await;
    let newest_first = newest_first(&all);
    let service = fixture.serve().await;
    let first = schema(&fixture).await;
    let filled = async || {
        let user = service.user("ada").await;
        let post = service.new_post(&user, "Title").await;
        service
            .call("PUT", &format!("/posts/{post}/vote"), Some(&user), None)
            .await
            .expect(200);
    };
    filled().await;
    let dropped = [
        vec!["dropped  every table".to_owned()],
        report_lines("applied", &all),
    ]
    .concat();
    assert_eq!(lines(&fixture, &["fresh"]).await, dropped);
    fixture.grant().await;
    filled().await;
    let again = [
        report_lines("reverted", &newest_first),
        report_lines("applied", &all),
    ]
    .concat();
    assert_eq!(lines(&fixture, &["refresh"]).await, again);
    fixture.grant().await;
    assert_eq!(schema(&fixture).await, first);
    filled().await;
    assert_eq!(
        lines(&fixture, &["reset"]).await,
        report_lines("reverted", &newest_first)
    );
    let left = schema(&fixture).await;
    assert!(
        left.iter().all(|line| line.contains("sqlite_")),
        "{left:#?}"
    );
}
