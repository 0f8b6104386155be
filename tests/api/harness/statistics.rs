//! Compares the statistics with a full count of the database.

use sea_orm::DatabaseConnection;

use super::{Fixture, column, wait_for};

/// What the sums by day are compared with.
#[derive(Clone, Copy, PartialEq)]
pub enum Days {
    /// The log has every event.
    OfLog,
    /// The log has not every event: the votes that exist count on their days.
    OfVotes,
}

/// Waits until the job has folded every change so far.
pub async fn folded(fixture: &Fixture) {
    let waiting = if fixture.is_postgres() {
        "AND NOT EXISTS (SELECT FROM event_outbox)"
    } else {
        ""
    };
    let sql = format!(
        "SELECT CASE WHEN phase = 0 {waiting}
            AND position = (SELECT coalesce(max(position), 0) FROM events)
            THEN 'folded' ELSE 'waiting' END FROM statistics"
    );
    wait_for(&fixture.connect().await, &sql, &["folded"]).await;
}

/// SQL for the number of the day of `time`.
pub fn day(fixture: &Fixture, time: &str) -> String {
    if fixture.is_postgres() {
        format!("floor(extract(epoch FROM {time}) / 86400)::integer")
    } else {
        format!("(unixepoch(substr({time}, 1, 10)) / 86400)")
    }
}

async fn assert_same(connection: &DatabaseConnection, counted: &str, full: &str) {
    let sorted = async |sql: &str| {
        let mut rows = column(connection, sql).await;
        rows.sort();
        rows
    };
    assert_eq!(
        sorted(counted).await,
        sorted(full).await,
        "{counted}\n{full}"
    );
}

/// Waits until everything is folded, and compares every table of the statistics with a full count.
pub async fn assert_exact(fixture: &Fixture, days: Days) {
    folded(fixture).await;
    let connection = &fixture.connect().await;
    let visible = "posts JOIN users ON users.id = owner_id AND suspended_at IS NULL AND published";
    assert_same(
        connection,
        "SELECT post_id || ' of ' || owner_id || ': ' || votes || ', ' || tags FROM post_statistics",
        &format!(
            "SELECT posts.id || ' of ' || owner_id || ': ' || votes || ', ' || tags FROM {visible}"
        ),
    )
    .await;
    assert_same(
        connection,
        "SELECT user_id || ': ' || posts || ', ' || votes FROM user_statistics WHERE is_counted",
        "SELECT users.id || ': ' || count(posts.id) || ', ' || coalesce(sum(posts.votes), 0)
            FROM users LEFT JOIN posts ON owner_id = users.id AND published AND suspended_at IS NULL
            WHERE deleted_at IS NULL GROUP BY users.id",
    )
    .await;
    assert_same(
        connection,
        "SELECT count(*) FROM user_statistics WHERE NOT is_counted",
        "SELECT CAST(0 AS bigint)",
    )
    .await;
    assert_same(
        connection,
        "SELECT tag || ': ' || posts FROM tag_statistics",
        &format!(
            "SELECT tag || ': ' || count(*) FROM {visible} JOIN post_tags ON post_id = posts.id GROUP BY tag"
        ),
    )
    .await;
    assert_same(
        connection,
        "SELECT users || ', ' || posts || ', ' || votes FROM statistics",
        &format!(
            "SELECT (SELECT count(*) FROM users WHERE deleted_at IS NULL) || ', ' || count(*) || ', '
                || coalesce(sum(votes), 0) FROM {visible}"
        ),
    )
    .await;
    assert_same(
        connection,
        "SELECT post_id || ': ' || sum(added - removed) FROM post_vote_days
            GROUP BY post_id HAVING sum(added - removed) <> 0",
        "SELECT id || ': ' || votes FROM posts WHERE votes <> 0",
    )
    .await;
    assert_days(fixture, connection, days).await;
}

async fn assert_days(fixture: &Fixture, connection: &DatabaseConnection, days: Days) {
    let (at, created_at) = (day(fixture, "at"), day(fixture, "votes.created_at"));
    let by_day = match days {
        Days::OfLog => format!(
            "SELECT subject_id || ' on ' || {at} || ': '
                || sum(CASE kind WHEN 'vote.added' THEN 1 ELSE 0 END) || ' - '
                || sum(CASE kind WHEN 'vote.removed' THEN 1 ELSE 0 END)
            FROM events JOIN posts ON posts.id = subject_id AND kind LIKE 'vote.%'
            GROUP BY subject_id, {at}"
        ),
        Days::OfVotes => format!(
            "SELECT post_id || ' on ' || {created_at} || ': ' || count(*) || ' - 0'
            FROM votes GROUP BY post_id, {created_at}"
        ),
    };
    assert_same(
        connection,
        "SELECT post_id || ' on ' || day || ': ' || added || ' - ' || removed FROM post_vote_days",
        &by_day,
    )
    .await;
    let acts = "kind IN ('post.created', 'post.updated', 'post.published', 'post.unpublished', 'vote.added')";
    if days == Days::OfLog {
        assert_same(
            connection,
            "SELECT user_id || ' on ' || day FROM user_activity",
            &format!(
                "SELECT DISTINCT actor_id || ' on ' || {at} FROM events
                JOIN users ON users.id = actor_id AND deleted_at IS NULL WHERE {acts}"
            ),
        )
        .await;
    }
    assert_same(
        connection,
        "SELECT day || ': ' || active || ', ' || last_active FROM activity_days
            WHERE active <> 0 OR last_active <> 0",
        "SELECT day || ': ' || count(*) || ', '
                || sum(CASE WHEN day = (SELECT max(day) FROM user_activity AS other
                    WHERE other.user_id = user_activity.user_id) THEN 1 ELSE 0 END)
            FROM user_activity GROUP BY day",
    )
    .await;
}
