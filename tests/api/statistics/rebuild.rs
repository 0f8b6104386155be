//! The tables are filled from what exists: after an upgrade, an import, or a log that lacks events.

use acclaim::{
    db::Db,
    services::{events::delete_expired, statistics::folded as position},
};
use serde_json::json;

use super::{execute, fold_all, members, tagged, take_back, vote};
use crate::{
    cli::as_owner,
    events::numbered,
    harness::{
        Fixture, apply, behaviour, column, insert_numbered, insert_posts,
        service::{Service, User},
        statistics::{
            Days::{OfLog, OfVotes},
            assert_exact, folded,
        },
    },
};

/// Posts, drafts, votes and a suspended user, more than one step looks at.
async fn fill(fixture: &Fixture, service: &Service) -> (User, User) {
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let eve = service.user("eve").await;
    let connection = fixture.connect().await;
    insert_posts(&connection, ada.id, 1_200, "-").await;
    insert_posts(&connection, eve.id, 100, "-").await;
    let select = format!("n, {}, created_at FROM numbers, users WHERE id = 1", bob.id);
    insert_numbered(
        &connection,
        1_250,
        "votes (post_id, user_id, created_at)",
        &select,
    )
    .await;
    tagged(service, &bob, &["other"]).await;
    super::suspend(&connection, eve.id, true).await;
    (ada, bob)
}

/// An older version leaves the log and, on PostgreSQL, rows of the outbox, which get positions only later.
#[apply(behaviour)]
async fn a_migration_fills_the_tables_from_what_exists(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = fill(&fixture, &service).await;
    folded(&fixture).await;
    fixture.stop_jobs().await;
    let connection = fixture.connect().await;
    let down = ["migrate", "down", "--to", "create_events"];
    assert_eq!(as_owner(&fixture, &down).await.code, Some(0));
    // While no job runs, so that these stay in the outbox.
    take_back(&service, &bob, 2).await;
    take_back(&service, &bob, 4).await;
    vote(&service, &bob, 4).await;
    vote(&service, &ada, 4).await;
    let last = tagged(&service, &ada, &["last"]).await;
    vote(&service, &bob, last).await;
    assert_eq!(as_owner(&fixture, &["migrate", "up"]).await.code, Some(0));
    fixture.grant().await;
    let answer = service.get("/stats", &ada).await.expect(200).json();
    assert_eq!(
        (&answer["complete"], &answer["posts"]),
        (&json!(false), &json!(0))
    );
    // Before the outbox is moved: the days lack only what its rows will add.
    assert!(fold_all(&fixture).await > 5);
    let answer = service.get("/stats", &ada).await.expect(200).json();
    assert_eq!(
        (&answer["complete"], &answer["posts"]),
        (&json!(true), &json!(602))
    );
    let of_last = format!("/posts/{last}/stats");
    let [votes] = members(&service, &ada, &of_last, ["votes"]).await;
    assert_eq!(votes, i32::from(!fixture.is_postgres()));
    if fixture.is_postgres() {
        assert_ne!(
            column(&connection, "SELECT count(*) FROM event_outbox").await,
            ["0"]
        );
    }
    // The job of another server goes on.
    fixture.serve().await;
    let today = "SELECT count(*) FROM post_vote_days";
    folded(&fixture).await;
    let rows = column(&connection, today).await;
    assert_ne!(rows, ["0"]);
    // Each vote that exists counts, once.
    execute(
        &connection,
        "UPDATE post_vote_days SET added = added - removed, removed = 0",
    )
    .await;
    execute(&connection, "DELETE FROM post_vote_days WHERE added = 0").await;
    assert_exact(&fixture, OfVotes).await;
    let [votes] = members(&service, &ada, &of_last, ["votes"]).await;
    assert_eq!(votes, 1);
}

#[apply(behaviour)]
async fn changes_while_the_tables_are_filled_are_counted(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = fill(&fixture, &service).await;
    folded(&fixture).await;
    fixture.stop_jobs().await;
    let connection = fixture.connect().await;
    execute(&connection, "UPDATE statistics SET phase = 1").await;
    let other = fixture.serve().await;
    for post in 1..=60 {
        vote(&other, &ada, post * 2).await;
        if post % 3 == 0 {
            take_back(&service, &bob, post * 4).await;
        }
        if post % 10 == 0 {
            let path = format!("/posts/{}", 1_000 + post * 2);
            let deleted = service.call("DELETE", &path, Some(&ada), None);
            deleted.await.expect(204);
        }
    }
    assert_exact_but_days(&fixture).await;
}

/// A vote that was taken back before the count is on no day.
async fn assert_exact_but_days(fixture: &Fixture) {
    folded(fixture).await;
    let connection = fixture.connect().await;
    execute(
        &connection,
        "UPDATE post_vote_days SET added = added - removed, removed = 0",
    )
    .await;
    execute(&connection, "DELETE FROM post_vote_days WHERE added = 0").await;
    assert_exact(fixture, OfVotes).await;
}

/// Another version may have removed events that were not folded, or a hand did.
#[apply(behaviour)]
async fn a_log_that_lacks_events_is_noticed(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = fill(&fixture, &service).await;
    assert_exact(&fixture, OfLog).await;
    let connection = fixture.connect().await;
    fixture.stop_jobs().await;
    vote(&service, &ada, 4).await;
    take_back(&service, &bob, 4).await;
    execute(&connection, "DELETE FROM posts WHERE id = 6").await;
    tagged(&service, &ada, &["lost"]).await;
    // A job of the log, without one of the statistics.
    let db = Db::open(&fixture.database()).await.unwrap();
    let mut outbox = acclaim::services::events::Outbox::default();
    outbox.move_to_log(&db).await.unwrap();
    execute(
        &connection,
        "DELETE FROM events WHERE position < (SELECT max(position) FROM events)",
    )
    .await;
    assert!(fold_all(&fixture).await > 4);
    assert_exact_but_days(&fixture).await;
    // The whole log, whose positions begin anew.
    let begin_anew = if fixture.is_postgres() {
        "TRUNCATE events RESTART IDENTITY"
    } else {
        "DELETE FROM events; DELETE FROM sqlite_sequence WHERE name = 'events'"
    };
    execute(&connection, begin_anew).await;
    tagged(&service, &ada, &["new"]).await;
    fixture.serve().await;
    assert_exact_but_days(&fixture).await;
}

#[apply(behaviour)]
async fn events_that_are_not_folded_are_not_removed(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    service.new_post(&ada, "One").await;
    folded(&fixture).await;
    numbered(&fixture).await;
    fixture.stop_jobs().await;
    let db = Db::open(&fixture.database()).await.unwrap();
    let before = position(&db).await.unwrap();
    for title in ["Two", "Three"] {
        service.new_post(&ada, title).await;
    }
    let mut outbox = acclaim::services::events::Outbox::default();
    outbox.move_to_log(&db).await.unwrap();
    let connection = fixture.connect().await;
    execute(&connection, "UPDATE events SET at = '2026-01-01T00:00:00Z'").await;
    let keep = time::Duration::days(7);
    delete_expired(&db, keep, before).await.unwrap();
    let first = "SELECT min(position) FROM events";
    assert_eq!(column(&connection, first).await, [before.to_string()]);
    fold_all(&fixture).await;
    let after = position(&db).await.unwrap();
    assert_eq!(delete_expired(&db, keep, after).await.unwrap(), 2);
    assert_eq!(column(&connection, first).await, [after.to_string()]);
}

#[apply(behaviour)]
async fn an_imported_archive_is_counted(fixture: Fixture) {
    let service = fixture.serve().await;
    fill(&fixture, &service).await;
    assert_exact(&fixture, OfLog).await;
    fixture.stop_jobs().await;
    let ended = as_owner(&fixture, &["export", "archive.ndjson"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let connection = fixture.connect().await;
    // An empty database, on which a service ran for some time.
    if fixture.is_postgres() {
        execute(
            &connection,
            "TRUNCATE users, posts, imported_posts, votes, tokens, audit_log, idempotency_keys,
                sessions, event_outbox, events CASCADE; TRUNCATE event_outbox",
        )
        .await;
    } else {
        for table in ["users", "posts", "audit_log", "idempotency_keys", "events"] {
            execute(&connection, &format!("DELETE FROM {table}")).await;
        }
    }
    fold_all(&fixture).await;
    let ended = as_owner(&fixture, &["import", "archive.ndjson"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    fixture.serve().await;
    assert_exact(&fixture, OfVotes).await;
}
