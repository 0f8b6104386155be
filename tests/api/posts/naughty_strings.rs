//! The Big List of Naughty Strings.

use naughty_strings::BLNS;
use regex::Regex;
use serde_json::json;

use crate::harness::{Fixture, apply, behaviour};

#[apply(behaviour)]
async fn naughty_strings_come_back_byte_for_byte(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let blank = r"^[\p{White_Space}\p{Default_Ignorable_Code_Point}]*$";
    let blank = Regex::new(blank).unwrap();
    let mut accepted = 0;
    for text in BLNS {
        let answer = service
            .post("/posts", &ada, json!({"title": text, "content": text}))
            .await;
        if blank.is_match(text) || text.contains('\0') {
            answer.problem(422);
            continue;
        }
        let path = format!("/posts/{}", answer.expect(201).json()["id"]);
        let post = service.get(&path, &ada).await.expect(200).json();
        assert_eq!(post["title"].as_str().unwrap().as_bytes(), text.as_bytes());
        assert_eq!(
            post["content"].as_str().unwrap().as_bytes(),
            text.as_bytes()
        );
        accepted += 1;
    }
    assert_eq!(BLNS.len(), 515);
    assert!(accepted > 500, "{accepted}");
}

#[apply(behaviour)]
async fn naughty_strings_are_not_search_operators(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for text in BLNS {
        let request = service.request("GET", "/posts").query(&[("search", text)]);
        let status = request
            .bearer_auth(&ada.token)
            .send()
            .await
            .unwrap()
            .status();
        assert_eq!(
            status.as_u16(),
            if text.contains('\0') { 422 } else { 200 },
            "{text}"
        );
    }
}
