//! The words of a post do not stay in the pending list of PostgreSQL's index.

use sea_orm::DatabaseConnection;
use serde_json::json;

use super::write;
use crate::harness::{Fixture, apply, column, postgres_behaviour, wait_for};

async fn now(database: &DatabaseConnection) -> String {
    column(database, "SELECT clock_timestamp()::text").await[0].clone()
}

/// Waits for the merge that begins after `before`. Fails if it leaves words in the list.
async fn assert_merged(database: &DatabaseConnection, before: &str) {
    let merged = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND query = 'SELECT posts_search_merge()' AND state = 'idle' AND query_start > '{before}'"
    );
    wait_for(database, &merged, &["1"]).await;
    // The number of pages that this removes from the list.
    let merge = "SELECT gin_clean_pending_list('posts_search_idx')";
    assert_eq!(column(database, merge).await, ["0"]);
}

#[apply(postgres_behaviour)]
async fn a_large_post_leaves_no_words_to_later_writes(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let database = fixture.connect().await;
    let words: Vec<_> = (0..1000).map(|number| format!("w{number}")).collect();
    let before = now(&database).await;
    let post = write(&service, &ada, "Words", &words.join(" ")).await;
    assert_merged(&database, &before).await;
    // An edit writes all words of the post again.
    let before = now(&database).await;
    let path = format!("/posts/{post}");
    let body = json!({"title": "Word"});
    let edited = service.call("PATCH", &path, Some(&ada), Some(body)).await;
    edited.expect(200);
    assert_merged(&database, &before).await;
}
