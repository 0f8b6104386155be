//! Moderation: suspensions, deletions and the audit log.

use serde_json::json;

use crate::{
    auth::refresh::refuses_refresh,
    cli::acclaim,
    harness::{
        Fixture, apply, behaviour,
        service::{PASSWORD, Service, User},
    },
};

/// Creates the admin `name`.
async fn admin(fixture: &Fixture, service: &Service, name: &str) -> User {
    service.user(name).await;
    let promoted = acclaim(fixture, &["user", "promote", name, "--role", "admin"]).await;
    assert_eq!((promoted.code, promoted.stderr.as_str()), (Some(0), ""));
    service.sign_in(name, PASSWORD).await
}

#[apply(behaviour)]
async fn a_suspended_user_is_locked_out_until_restored(fixture: Fixture) {
    let service = fixture.serve().await;
    let (root, eve) = (
        admin(&fixture, &service, "rosa").await,
        service.user("eve").await,
    );
    let post = format!("/posts/{}", service.new_post(&eve, "Buy this").await);
    let new = json!({"name": "Bot", "scopes": ["posts:read"]});
    let token = service.post("/tokens", &eve, new).await.expect(201).json();
    let bot = User {
        token: token["token"].as_str().unwrap().to_owned(),
        ..eve.clone()
    };
    service.get("/posts", &bot).await.expect(200);
    let path = format!("/users/{}/suspension", eve.id);
    let reason = json!({"reason": "Advertising"});
    let suspended = service
        .call("PUT", &path, Some(&root), Some(reason.clone()))
        .await;
    assert!(suspended.expect(200).json()["suspended_at"].is_string());
    // Only admins see it on the user's page.
    let page = format!("/users/{}", eve.id);
    let shown = service.get(&page, &root).await.expect(200).json();
    assert!(shown["suspended_at"].is_string(), "{shown}");
    let other = service.user("finn").await;
    let shown = service.get(&page, &other).await.expect(200).json();
    assert_eq!(shown.get("suspended_at"), None);
    // A second suspension changes nothing.
    service
        .call("PUT", &path, Some(&root), Some(reason))
        .await
        .expect(200);

    for user in [&eve, &bot] {
        service.get("/posts", user).await.problem(401);
    }
    let form = json!({"username": "eve", "password": PASSWORD});
    let refused = service
        .call("POST", "/login", None, Some(form.clone()))
        .await;
    assert_eq!(refused.problem(403)["detail"], "this account is suspended");
    let wrong = json!({"username": "eve", "password": "wrong"});
    service
        .call("POST", "/login", None, Some(wrong))
        .await
        .problem(401);
    refuses_refresh(&service, &eve).await;
    service.get(&post, &root).await.problem(404);
    assert_eq!(
        service.get("/posts", &root).await.expect(200).json(),
        json!([])
    );
    let vote = format!("{post}/vote");
    service
        .call("PUT", &vote, Some(&root), None)
        .await
        .problem(404);

    let restored = service
        .call("DELETE", &path, Some(&root), None)
        .await
        .expect(200);
    assert!(restored.json()["suspended_at"].is_null());
    let shown = service.get(&page, &root).await.expect(200).json();
    assert_eq!(shown.get("suspended_at"), None);
    service.get("/posts", &bot).await.expect(200);
    service.get(&post, &root).await.expect(200);
    service
        .call("POST", "/login", None, Some(form))
        .await
        .expect(200);
    let oneself = format!("/users/{}/suspension", root.id);
    service
        .call("PUT", &oneself, Some(&root), Some(json!({})))
        .await
        .problem(409);
}

#[apply(behaviour)]
async fn moderation_is_recorded_in_the_audit_log(fixture: Fixture) {
    let service = fixture.serve().await;
    let (root, eve) = (
        admin(&fixture, &service, "rosa").await,
        service.user("eve").await,
    );
    let post = service.new_post(&eve, "Buy this").await;
    let own = service.new_post(&root, "Mine").await;
    let path = format!("/posts/{post}?reason=Advertising");
    service
        .call("DELETE", &path, Some(&root), None)
        .await
        .expect(204);
    // Deleting an own post must not appear in the audit log.
    service
        .call("DELETE", &format!("/posts/{own}"), Some(&root), None)
        .await
        .expect(204);
    let path = format!("/users/{}/suspension", eve.id);
    let reason = json!({"reason": "For the third time"});
    service
        .call("PUT", &path, Some(&root), Some(reason))
        .await
        .expect(200);
    service
        .call("DELETE", &format!("{path}?reason=Sorry"), Some(&root), None)
        .await
        .expect(200);
    let log = service.get("/audit-log", &root).await.expect(200);
    assert_eq!(log.header("cache-control"), Some("no-store"));
    let log = log.json();
    let entries: Vec<String> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            assert!(text("at").ends_with('Z'));
            [
                text("actor"),
                text("action"),
                text("subject"),
                text("reason"),
            ]
            .join(" | ")
        })
        .collect();
    assert_eq!(
        entries,
        [
            "rosa | restore_user | eve | Sorry",
            "rosa | suspend_user | eve | For the third time",
            "rosa | delete_post | Buy this | Advertising",
            "operator | change_role | rosa | ",
        ]
    );
    assert_eq!(log[0]["actor_id"], root.id);
    assert!(log[3]["actor_id"].is_null());
    let users = service
        .get("/users?limit=1&skip=1", &root)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&users[0]["username"], users.as_array().unwrap().len()),
        (&json!("eve"), 1)
    );
    assert!(users[0].get("email").is_none());
}
