//! The words of a post do not stay in the pending list of PostgreSQL's index.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;

use super::write;
use crate::harness::{Fixture, apply, postgres_behaviour, wait_for};

/// Waits for the merge. No other write comes that would merge the words.
async fn assert_merged(database: &DatabaseConnection) {
    let pending = "SELECT n_pending_pages::text
        FROM gin_metapage_info(get_raw_page('posts_search_idx', 0))";
    wait_for(database, pending, &["0"]).await;
}

#[apply(postgres_behaviour)]
async fn a_large_post_leaves_no_words_to_later_writes(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let database = fixture.connect().await;
    let extension = "CREATE EXTENSION pageinspect";
    database.execute_unprepared(extension).await.unwrap();
    let words: Vec<_> = (0..1000).map(|number| format!("w{number}")).collect();
    let post = write(&service, &ada, "Words", &words.join(" ")).await;
    assert_merged(&database).await;
    // An edit writes all words of the post again.
    let path = format!("/posts/{post}");
    let body = json!({"title": "Word"});
    let edited = service.call("PATCH", &path, Some(&ada), Some(body)).await;
    edited.expect(200);
    assert_merged(&database).await;
}
