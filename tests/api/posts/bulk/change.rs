//! Changing and deleting many posts.

use serde_json::{Value, json};

use super::{counts, field_errors, outcomes, rows, send};
use crate::harness::{Fixture, apply, behaviour, service::Service, service::User};

async fn create(service: &Service, user: &User, rows: &Value) -> Vec<Value> {
    let result = send(service, user, "POST", rows, json!({}))
        .await
        .expect(201)
        .json();
    let ids = result["posts"].as_array().unwrap().iter();
    ids.map(|row| row["id"].clone()).collect()
}

#[apply(behaviour)]
async fn many_posts_are_changed_by_their_members(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let ids = create(&service, &ada, &rows(5, "Post")).await;
    let changes = json!([
        {"id": ids[0], "title": "Renamed", "external_id": "new key"},
        {"external_id": "key 1", "metadata": null, "published": false},
        {"id": ids[2], "tags": ["other"], "content": "Analytical."},
        {"id": ids[3], "title": "Post 3"},
        {"id": ids[4], "external_id": null},
    ]);
    let result = send(&service, &ada, "PATCH", &changes, json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        outcomes(&result),
        ["updated", "updated", "updated", "unchanged", "updated"]
    );
    for (index, (expected, version)) in [
        (json!({"title": "Renamed", "external_id": "new key", "content": "Words."}), 2),
        (json!({"external_id": "key 1", "metadata": null, "published": false, "title": "Post 1"}), 2),
        (json!({"tags": ["other"], "content": "Analytical.", "title": "Post 2"}), 2),
        (json!({"title": "Post 3", "external_id": "key 3"}), 1),
        (json!({"external_id": null, "metadata": {"number": 4}}), 2),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/posts/{}", ids[index]);
        let post = service.get(&path, &ada).await.expect(200).json();
        assert_eq!(post["version"], version);
        assert_eq!(result["posts"][index]["version"], version);
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&post[name], value, "{index} {name}");
        }
    }
    for (path, count) in [
        ("/posts?tag=bulk", 4),
        ("/posts?tag=other", 1),
        ("/posts?search=analytical", 1),
    ] {
        let found = service.get(path, &ada).await.expect(200).json();
        assert_eq!(found.as_array().unwrap().len(), count, "{path}");
    }
}

#[apply(behaviour)]
async fn only_own_posts_are_changed_and_deleted(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let own = create(&service, &ada, &rows(2, "Own")).await;
    let published = service.new_post(&grace, "Grace's").await;
    let draft = service.new_draft(&grace, "Draft").await;
    let keys = json!([
        {"id": own[0]},
        {"id": published},
        {"id": draft},
        {"external_id": "unknown"},
        {"external_id": "key 0"},
        {"external_id": "key 1"},
    ]);
    let (other, missing, invalid) = (
        "/problems/not-owner",
        "/problems/not-found",
        "/problems/unprocessable-content",
    );
    for (method, done) in [("PATCH", "updated"), ("DELETE", "deleted")] {
        let mut rows = keys.clone();
        for row in rows.as_array_mut().unwrap() {
            if method == "PATCH" {
                row["title"] = json!("Changed");
            }
        }
        let refused = send(&service, &ada, method, &rows, json!({}))
            .await
            .problem(403);
        assert_eq!(refused["type"], other);
        assert_eq!(
            field_errors(&refused),
            [
                "posts[1] not_owner",
                "posts[2] not_found",
                "posts[3] not_found",
                "posts[4] duplicate"
            ]
        );
        let titles = service.get("/posts?owner_id=1&sort=old", &ada).await.json();
        let expected = if method == "PATCH" {
            "Own 0"
        } else {
            "Changed"
        };
        assert_eq!(titles[0]["title"], expected);
        let each = json!({"atomic": false});
        let result = send(&service, &ada, method, &rows, each)
            .await
            .expect(200)
            .json();
        assert_eq!(
            outcomes(&result),
            [done, other, missing, missing, invalid, done]
        );
    }
    assert_eq!(service.get("/posts", &ada).await.json()[0]["id"], published);
    service
        .get(&format!("/posts/{draft}"), &grace)
        .await
        .expect(200);
    for id in own {
        service
            .get(&format!("/posts/{id}"), &ada)
            .await
            .problem(404);
    }
}

#[apply(behaviour)]
async fn a_changed_external_id_must_be_free(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let ids = create(&service, &ada, &rows(4, "Post")).await;
    let taken = "/problems/external-id-taken";
    let changes = json!([
        {"id": ids[0], "external_id": "key 1"},
        {"id": ids[1], "external_id": "key 1", "title": "Same key"},
        {"id": ids[2], "external_id": "free"},
        {"id": ids[3], "external_id": "free"},
    ]);
    let refused = send(&service, &ada, "PATCH", &changes, json!({}))
        .await
        .problem(409);
    assert_eq!(refused["type"], taken);
    let each = json!({"atomic": false});
    let result = send(&service, &ada, "PATCH", &changes, each)
        .await
        .expect(200)
        .json();
    let invalid = "/problems/unprocessable-content";
    assert_eq!(outcomes(&result), [taken, invalid, "updated", invalid]);
    assert_eq!(counts(&result), [0, 1, 0, 0, 0, 3]);
}

#[apply(behaviour)]
async fn a_row_must_identify_one_post(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for (method, row, error) in [
        ("PATCH", json!({"title": "t"}), "posts[0].id required"),
        (
            "PATCH",
            json!({"external_id": null}),
            "posts[0].id required",
        ),
        ("PATCH", json!({"id": 0}), "posts[0].id range"),
        ("DELETE", json!({}), "posts[0].id required"),
        (
            "DELETE",
            json!({"id": 1, "external_id": "a"}),
            "posts[0].id mismatch",
        ),
        ("DELETE", json!(1), "posts[0] type"),
    ] {
        let refused = send(&service, &ada, method, &json!([row]), json!({})).await;
        assert_eq!(refused.field_errors(), [error]);
    }
}
