//! Votes by day, and active users.

use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};
use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime};

use super::{fold_all, take_back, vote};
use crate::harness::{
    Fixture, apply, behaviour, column,
    service::PASSWORD,
    statistics::{Days::OfLog, assert_exact, folded},
    wait_for,
};

/// Runs `sql`, whose events get the time `at`.
async fn at(fixture: &Fixture, connection: &DatabaseConnection, at: &str, sql: &str) {
    let transaction = connection.begin().await.unwrap();
    let last = "SELECT coalesce(max(position), 0) AS last FROM events";
    let table = if fixture.is_postgres() {
        // Nobody moves the events before the commit.
        transaction
            .execute_unprepared(
                "CREATE TEMPORARY TABLE before ON COMMIT DROP AS SELECT id FROM event_outbox",
            )
            .await
            .unwrap();
        transaction.execute_unprepared(sql).await.expect(sql);
        format!("UPDATE event_outbox SET at = '{at}' WHERE id NOT IN (SELECT id FROM before)")
    } else {
        // A transaction that has read cannot write any more once the job has written.
        let lock = "UPDATE events SET at = at WHERE FALSE";
        transaction.execute_unprepared(lock).await.unwrap();
        let backend = transaction.get_database_backend();
        let row = transaction
            .query_one_raw(sea_orm::Statement::from_string(backend, last))
            .await
            .unwrap()
            .unwrap();
        let last: i64 = row.try_get("", "last").unwrap();
        transaction.execute_unprepared(sql).await.expect(sql);
        format!("UPDATE events SET at = '{at}' WHERE position > {last}")
    };
    transaction.execute_unprepared(&table).await.unwrap();
    transaction.commit().await.unwrap();
}

#[apply(behaviour)]
async fn votes_are_counted_by_the_day_of_their_change(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let post = service.new_post(&ada, "Post").await;
    // The job counts what exists when it starts: by the day of a vote, which is another one here.
    folded(&fixture).await;
    let connection = fixture.connect().await;
    let users = "INSERT INTO users (email, username, password_hash, created_at, updated_at)
        SELECT 'v' || n || '@example.com', 'voter-' || n, '-', created_at, created_at
        FROM users, (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) AS numbers WHERE id = 1";
    connection.execute_unprepared(users).await.unwrap();
    let add = |name: &str| {
        format!(
            "INSERT INTO votes (post_id, user_id, created_at)
            SELECT {post}, id, created_at FROM users WHERE username = '{name}'"
        )
    };
    let remove = |name: &str| {
        format!(
            "DELETE FROM votes WHERE user_id = (SELECT id FROM users WHERE username = '{name}')"
        )
    };
    for (time, sql) in [
        ("2026-03-01T00:00:00Z", add("voter-1")),
        ("2026-03-01T23:59:59.999Z", add("voter-2")),
        ("2026-03-02T00:00:00Z", remove("voter-1")),
        ("2026-03-02T12:00:00Z", add("voter-1")),
        ("2026-03-05T12:00:00Z", add("voter-3")),
        ("2026-03-05T13:00:00Z", remove("voter-3")),
    ] {
        at(&fixture, &connection, time, &sql).await;
    }
    folded(&fixture).await;
    let path = format!("/posts/{post}/stats");
    let day = |day: &str, added: i64, removed: i64| json!({"day": day, "added": added, "removed": removed, "net": added - removed});
    let answer = service.get(&path, &ada).await.expect(200).json();
    assert_eq!(answer["votes"], 2);
    let days = [
        day("2026-03-05", 1, 1),
        day("2026-03-02", 1, 1),
        day("2026-03-01", 2, 0),
    ];
    assert_eq!(answer["days"], json!(days));
}

#[apply(behaviour)]
async fn the_days_of_a_post_are_bounded_and_their_total_is_not(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let post = service.new_post(&ada, "Post").await;
    folded(&fixture).await;
    let connection = fixture.connect().await;
    let values = (1..=95).map(|day| format!("({post}, {day}, 2, 1)"));
    let values = values.collect::<Vec<_>>().join(", ");
    let insert =
        format!("INSERT INTO post_vote_days (post_id, day, added, removed) VALUES {values}");
    connection.execute_unprepared(&insert).await.unwrap();
    let path = format!("/posts/{post}/stats");
    let answer = service.get(&path, &ada).await.expect(200).json();
    assert_eq!(answer["votes"], 95);
    let days = answer["days"].as_array().unwrap();
    assert_eq!(days.len(), 90);
    assert_eq!(
        (&days[0]["day"], &days[89]["day"]),
        (&json!("1970-04-06"), &json!("1970-01-07"))
    );
}

/// The date `ago` days before today, and a time of that day.
fn ago(days: i64) -> (Date, String) {
    let date = OffsetDateTime::now_utc().date() - Duration::days(days);
    (date, format!("{date}T12:00:00Z"))
}

#[apply(behaviour)]
async fn active_users_are_counted_by_day_and_month(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let eve = service.user("eve").await;
    let connection = fixture.connect().await;
    let act = async |user: i64, days: i64| {
        let (_, time) = ago(days);
        let sql = format!(
            "INSERT INTO posts (owner_id, title, content, published, created_at, updated_at)
            SELECT id, 't', 'c', true, created_at, created_at FROM users WHERE id = {user}"
        );
        at(&fixture, &connection, &time, &sql).await;
    };
    let numbers = async || -> (Value, Value, Value) {
        assert_exact(&fixture, OfLog).await;
        let mut answer = service.get("/stats", &ada).await.expect(200).json();
        let mut take = |name: &str| answer[name].take();
        (
            take("daily_active_users"),
            take("monthly_active_users"),
            take("active_users_by_day"),
        )
    };
    let day = |days: i64, users: i64| json!({"day": ago(days).0.to_string(), "users": users});
    // Signing up and reading are no activity.
    assert_eq!(numbers().await, (json!(0), json!(0), json!([])));
    act(ada.id, 29).await;
    act(bob.id, 29).await;
    act(eve.id, 30).await;
    act(ada.id, 2).await;
    // Times do not ascend exactly: neither a new day nor a known one before the last is counted twice.
    // Each in a page of its own: a page counts a user once a day in any case.
    for days in [3, 3, 29, 2] {
        folded(&fixture).await;
        act(ada.id, days).await;
    }
    let expected = json!([day(29, 2), day(3, 1), day(2, 1)]);
    assert_eq!(numbers().await, (json!(0), json!(2), expected));
    // A vote counts, and neither its removal nor the deletion of a post by a moderator.
    vote(&service, &bob, 1).await;
    take_back(&service, &bob, 1).await;
    let delete = format!("DELETE FROM posts WHERE owner_id = {}", eve.id);
    connection.execute_unprepared(&delete).await.unwrap();
    let expected = json!([day(29, 2), day(3, 1), day(2, 1), day(0, 1)]);
    assert_eq!(numbers().await, (json!(1), json!(2), expected));
    // A deleted user is forgotten.
    let body = json!({"current_password": PASSWORD});
    let deleted = service.call("DELETE", "/users/me", Some(&bob), Some(body));
    deleted.await.expect(204);
    let left = format!("SELECT count(*) FROM users WHERE id = {}", bob.id);
    wait_for(&connection, &left, &["0"]).await;
    let expected = json!([day(29, 1), day(3, 1), day(2, 1)]);
    assert_eq!(numbers().await, (json!(0), json!(1), expected));
}

#[apply(behaviour)]
async fn old_activity_is_removed(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    fold_all(&fixture).await;
    let today = OffsetDateTime::now_utc().unix_timestamp() / 86_400;
    let rows: Vec<_> = (1..=2_500)
        .map(|user| format!("({user}, {})", today - 41))
        .chain([40, 0].map(|days| format!("(1, {})", today - days)))
        .collect();
    let rows = rows.join(", ");
    let insert = format!("INSERT INTO user_activity (user_id, day) VALUES {rows}");
    connection.execute_unprepared(&insert).await.unwrap();
    let days = format!(
        "INSERT INTO activity_days (day, active, last_active) VALUES ({}, 2500, 2499), ({today}, 1, 1)",
        today - 41
    );
    connection.execute_unprepared(&days).await.unwrap();
    let db = acclaim::db::Db::open(&fixture.database()).await.unwrap();
    acclaim::services::statistics::remove_old_days(&db)
        .await
        .unwrap();
    let left = column(
        &connection,
        "SELECT day || ' of ' || user_id FROM user_activity ORDER BY day",
    )
    .await;
    assert_eq!(
        left,
        [format!("{} of 1", today - 40), format!("{today} of 1")]
    );
    let left = column(&connection, "SELECT day || '' FROM activity_days").await;
    assert_eq!(left, [today.to_string()]);
}
