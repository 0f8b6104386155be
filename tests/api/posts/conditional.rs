//! Conditional requests: `ETag` and `If-None-Match`.

use serde_json::json;

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, Service, User},
};

async fn get_if_none_match(service: &Service, path: &str, user: &User, tags: &str) -> Answer {
    let request = service.request("GET", path).bearer_auth(&user.token);
    let request = request.header("If-None-Match", tags);
    Answer::of(request.send().await.expect("no answer")).await
}

fn etag(answer: &Answer) -> String {
    let tag = answer.header("etag").expect("no ETag").to_owned();
    assert!(
        tag.starts_with('"') && tag.ends_with('"'),
        "{tag} is not strong"
    );
    tag
}

#[apply(behaviour)]
async fn an_unchanged_post_answers_304(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let path = format!("/posts/{}", service.new_post(&ada, "Title").await);
    let first = service.get(&path, &ada).await.expect(200);
    let tag = etag(&first);
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));
    for tags in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let again = get_if_none_match(&service, &path, &ada, &tags)
            .await
            .expect(304);
        assert_eq!(
            (again.text.as_str(), etag(&again)),
            ("", tag.clone()),
            "{tags}"
        );
        assert_eq!(again.header("cache-control"), Some("private, no-cache"));
    }
    for tags in ["\"x\"", "x", "", "\u{e4}"] {
        assert_eq!(
            get_if_none_match(&service, &path, &ada, tags)
                .await
                .expect(200)
                .text,
            first.text
        );
    }
    let head = service.request("HEAD", &path).bearer_auth(&ada.token);
    let head = head
        .header("If-None-Match", &tag)
        .send()
        .await
        .expect("no answer");
    assert_eq!(head.status(), 304);
    // A vote changes both representations: the count for both users, and `voted` for Bob.
    service
        .call("PUT", &format!("{path}/vote"), Some(&bob), None)
        .await
        .expect(200);
    let voted = get_if_none_match(&service, &path, &ada, &tag)
        .await
        .expect(200);
    assert_eq!(voted.json()["votes"], 1);
    assert_ne!(etag(&voted), etag(&service.get(&path, &bob).await));
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    get_if_none_match(&service, &path, &ada, &tag)
        .await
        .problem(404);
    get_if_none_match(&service, &path, &ada, "*")
        .await
        .problem(404);
}

#[apply(behaviour)]
async fn an_unchanged_list_answers_304(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let empty = service.get("/posts", &ada).await.expect(200);
    get_if_none_match(&service, "/posts", &ada, &etag(&empty))
        .await
        .expect(304);
    for title in ["one", "two"] {
        service.new_post(&ada, title).await;
    }
    let path = "/posts?limit=2&sort=old&count=exact";
    let first = get_if_none_match(&service, path, &ada, &etag(&empty))
        .await
        .expect(200);
    let again = get_if_none_match(&service, path, &ada, &etag(&first))
        .await
        .expect(304);
    assert_eq!(
        (again.text.as_str(), again.header("x-total-count")),
        ("", Some("2"))
    );
    // The page has the same two posts, but now a next page exists.
    service.new_post(&ada, "three").await;
    let longer = get_if_none_match(&service, path, &ada, &etag(&first))
        .await
        .expect(200);
    assert_eq!(longer.text, first.text);
    assert!(
        longer
            .header("link")
            .is_some_and(|link| link.contains("next"))
    );
    let again = get_if_none_match(&service, path, &ada, &etag(&longer))
        .await
        .expect(304);
    assert_eq!(again.header("link"), longer.header("link"));
}

#[apply(behaviour)]
async fn writes_return_the_new_etag(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let body = json!({"title": "Title", "content": "Content", "tags": ["a", "b-2", "a"]});
    let made = service.post("/posts", &ada, body.clone()).await.expect(201);
    assert_eq!(
        (&made.json()["tags"], &made.json()["version"]),
        (&json!(["a", "b-2"]), &json!(1))
    );
    let path = format!("/posts/{}", made.json()["id"]);
    get_if_none_match(&service, &path, &ada, &etag(&made))
        .await
        .expect(304);
    let changed = service
        .call("PATCH", &path, Some(&ada), Some(json!({"tags": ["c"]})))
        .await;
    let patched = changed.expect(200);
    assert_eq!(
        (&patched.json()["tags"], &patched.json()["version"]),
        (&json!(["c"]), &json!(2))
    );
    assert_ne!(etag(&patched), etag(&made));
    get_if_none_match(&service, &path, &ada, &etag(&patched))
        .await
        .expect(304);
    let tagged = async |tag: &str| {
        let list = service.get(&format!("/posts?tag={tag}"), &ada).await;
        list.expect(200).json().as_array().unwrap().len()
    };
    assert_eq!((tagged("a").await, tagged("c").await), (0, 1));
    let body = json!({"title": "Title", "content": "Content"});
    let put = service
        .call("PUT", &path, Some(&ada), Some(body))
        .await
        .expect(200);
    assert_eq!(
        (&put.json()["tags"], &put.json()["version"]),
        (&json!([]), &json!(3))
    );
    get_if_none_match(&service, &path, &ada, &etag(&put))
        .await
        .expect(304);
    assert_eq!((tagged("a").await, tagged("c").await), (0, 0));
    // An empty change creates no new version.
    let same = service
        .call("PATCH", &path, Some(&ada), Some(json!({})))
        .await
        .expect(200);
    assert_eq!(etag(&same), etag(&put));
}
