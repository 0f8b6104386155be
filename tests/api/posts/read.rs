//! Reading single posts and drafts.

use serde_json::json;

use crate::harness::{Fixture, apply, behaviour};

#[apply(behaviour)]
async fn a_post_is_read_back_as_it_was_written(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let body = json!({"title": "  é e\u{301} 🦀 ", "content": "\r\n\tx\u{200b}\u{fffe}"});
    let written = service.post("/posts", &ada, body).await.expect(201).json();
    let path = format!("/posts/{}", written["id"]);
    assert_eq!(service.get(&path, &bob).await.expect(200).json(), written);
    assert_eq!(
        service
            .get(&format!("{path}/"), &ada)
            .await
            .expect(200)
            .json(),
        written
    );
    let missing = service.get("/posts/42", &ada).await;
    assert_eq!(missing.problem(404)["detail"], "post 42 does not exist");
}

#[apply(behaviour)]
async fn a_draft_is_visible_to_its_owner_only(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let id = service.new_draft(&ada, "Draft").await;
    let path = format!("/posts/{id}");
    let body = json!({"title": "t", "content": "c"});
    for (method, path, body) in [
        ("GET", path.clone(), None),
        ("PUT", path.clone(), Some(body.clone())),
        ("PATCH", path.clone(), Some(body)),
        ("DELETE", path.clone(), None),
        ("PUT", format!("{path}/vote"), None),
        ("DELETE", format!("{path}/vote"), None),
        (
            "POST",
            "/vote".to_owned(),
            Some(json!({"post_id": id, "dir": 1})),
        ),
    ] {
        let answer = service.call(method, &path, Some(&bob), body).await;
        assert_eq!(
            answer.problem(404)["detail"],
            format!("post {id} does not exist")
        );
    }
    assert_eq!(service.get("/posts", &bob).await.json(), json!([]));
    assert_eq!(
        service.get("/posts?search=Draft", &bob).await.json(),
        json!([])
    );
    let own = service.get(&path, &ada).await.expect(200).json();
    assert_eq!(own["title"], "Draft");
    service
        .call("PUT", &format!("{path}/vote"), Some(&ada), None)
        .await
        .expect(200);
}
