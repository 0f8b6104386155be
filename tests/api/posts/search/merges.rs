//! The words of a post do not stay in the pending list of PostgreSQL's index.

use serde_json::json;

use super::write;
use crate::harness::{Fixture, apply, behaviour, column};

#[apply(behaviour)]
async fn a_large_post_leaves_no_words_to_later_writes(fixture: Fixture) {
    if !fixture.is_postgres() {
        return;
    }
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let database = fixture.connect().await;
    let words: Vec<_> = (0..1000).map(|number| format!("w{number}")).collect();
    let post = write(&service, &ada, "Words", &words.join(" ")).await;
    // The number of pages of the list that this merges.
    let merge = "SELECT gin_clean_pending_list('posts_search_idx')";
    assert_eq!(column(&database, merge).await, ["0"]);
    // An edit writes all words of the post again.
    let path = format!("/posts/{post}");
    let body = json!({"title": "Word"});
    let edited = service.call("PATCH", &path, Some(&ada), Some(body)).await;
    edited.expect(200);
    assert_eq!(column(&database, merge).await, ["0"]);
}
