//! A user's own account: changes, deletion and export.

use serde_json::json;

use crate::{
    auth::refresh::{refresh, refuses_refresh, with_tokens},
    harness::{
        Fixture, apply, behaviour,
        service::{PASSWORD, Service, User},
        wait_for,
    },
};

async fn patch(
    service: &Service,
    user: &User,
    body: serde_json::Value,
) -> crate::harness::service::Answer {
    service
        .call("PATCH", "/users/me", Some(user), Some(body))
        .await
}

#[apply(behaviour)]
async fn a_username_changes_without_a_password_and_an_email_with_one(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    service.user("grace").await;
    let id = service.new_post(&ada, "Title").await;
    let me = patch(&service, &ada, json!({"username": "Countess"}))
        .await
        .expect(200);
    assert_eq!(me.json()["username"], "countess");
    let post = service.get(&format!("/posts/{id}"), &ada).await.expect(200);
    assert_eq!(post.json()["owner"]["username"], "countess");
    let new = service
        .post("/posts", &ada, json!({"title": "t", "content": "c"}))
        .await;
    assert_eq!(new.expect(201).json()["owner"]["username"], "countess");

    let address = json!({"email": "Countess@example.com"});
    assert_eq!(
        patch(&service, &ada, address).await.field_errors(),
        ["current_password required"]
    );
    let wrong = json!({"email": "countess@example.com", "current_password": "wrong"});
    let refused = patch(&service, &ada, wrong).await.problem(403);
    assert_eq!(refused["detail"], "the current password is wrong");
    let right = json!({"email": "Countess@example.com", "current_password": PASSWORD});
    let me = patch(&service, &ada, right).await.expect(200).json();
    assert_eq!(me["email"], "countess@example.com");
    service.sign_in("countess@example.com", PASSWORD).await;

    for (taken, detail) in [
        (json!({"username": "grace"}), "the username is taken"),
        (
            json!({"email": "grace@example.com", "current_password": PASSWORD}),
            "the email is taken",
        ),
    ] {
        assert_eq!(
            patch(&service, &ada, taken).await.problem(409)["detail"],
            detail
        );
    }
    let nulls = json!({"username": null, "email": null, "password": null});
    let errors = ["email type", "password type", "username type"];
    assert_eq!(patch(&service, &ada, nulls).await.field_errors(), errors);
    let nothing = patch(&service, &ada, json!({})).await.expect(200).json();
    assert_eq!(nothing["username"], "countess");
}

#[apply(behaviour)]
async fn a_new_password_replaces_the_tokens_of_the_caller_and_ends_all_others(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let other = service.sign_in("ada", PASSWORD).await;
    let new = json!({"name": "Bot", "scopes": ["account"]});
    let token = service.post("/tokens", &ada, new).await.expect(201).json();
    let bot = User {
        token: token["token"].as_str().unwrap().to_owned(),
        ..ada.clone()
    };
    let branch = async || {
        let tokens = refresh(&service, &ada.refresh_token).await.expect(200);
        with_tokens(&ada, &tokens.json())
    };
    let (hers, stolen) = (branch().await, branch().await);
    for user in [&ada, &other, &bot, &hers, &stolen] {
        service.get("/users/me", user).await.expect(200);
    }
    let body = json!({"password": "battery staple", "current_password": PASSWORD});
    let changed = patch(&service, &hers, body).await.expect(200);
    assert_eq!(changed.header("cache-control"), Some("no-store"));
    let changed = changed.json();
    assert_eq!(changed["username"], "ada");
    for user in [&ada, &other, &bot, &hers, &stolen] {
        service.get("/users/me", user).await.problem(401);
        refuses_refresh(&service, user).await;
    }
    assert_eq!(changed["tokens"]["token_type"], "bearer");
    let hers = with_tokens(&ada, &changed["tokens"]);
    let sessions = service.get("/sessions", &hers).await.expect(200).json();
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    assert_eq!(sessions[0]["current"], true);
    refresh(&service, &hers.refresh_token).await.expect(200);
    let old = json!({"username": "ada", "password": PASSWORD});
    service
        .call("POST", "/login", None, Some(old))
        .await
        .problem(401);
}

#[apply(behaviour)]
async fn a_personal_access_token_that_changes_the_password_gets_no_session(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let new = json!({"name": "Bot", "scopes": ["account"]});
    let token = service.post("/tokens", &ada, new).await.expect(201).json();
    let bot = User {
        token: token["token"].as_str().unwrap().to_owned(),
        ..ada.clone()
    };
    let body = json!({"password": "battery staple", "current_password": PASSWORD});
    let changed = patch(&service, &bot, body).await.expect(200).json();
    assert_eq!(changed["tokens"], json!(null));
    for user in [&ada, &bot] {
        service.get("/users/me", user).await.problem(401);
    }
    let ada = service.sign_in("ada", "battery staple").await;
    let renamed = patch(&service, &ada, json!({"username": "countess"})).await;
    assert_eq!(renamed.expect(200).json()["tokens"], json!(null));
    service.get("/users/me", &ada).await.expect(200);
}

#[apply(behaviour)]
async fn deleting_an_account_needs_the_password_and_removes_its_votes(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let (hers, other) = (
        service.new_post(&ada, "A").await,
        service.new_post(&grace, "G").await,
    );
    let vote = format!("/posts/{other}/vote");
    service
        .call("PUT", &vote, Some(&ada), None)
        .await
        .expect(200);
    let delete = async |body| {
        service
            .call("DELETE", "/users/me", Some(&ada), Some(body))
            .await
    };
    assert_eq!(
        delete(json!({})).await.field_errors(),
        ["current_password required"]
    );
    let wrong = json!({"current_password": "wrong"});
    delete(wrong).await.problem(403);
    delete(json!({"current_password": PASSWORD}))
        .await
        .expect(204);
    service.get("/users/me", &ada).await.problem(401);
    service
        .get(&format!("/posts/{hers}"), &grace)
        .await
        .problem(404);
    let connection = fixture.connect().await;
    wait_for(&connection, "SELECT username FROM users", &["grace"]).await;
    let post = service
        .get(&format!("/posts/{other}"), &grace)
        .await
        .expect(200);
    assert_eq!(post.json()["votes"], 0);
}

/// Another server still has the token in its cache.
#[apply(behaviour)]
async fn an_account_that_another_server_deleted_is_unauthorised(fixture: Fixture) {
    let service = fixture.serve().await;
    let other = fixture.serve().await;
    let ada = service.user("ada").await;
    service.get("/users/me", &ada).await.expect(200);
    let deletion = json!({"current_password": PASSWORD});
    let deleted = other.call("DELETE", "/users/me", Some(&ada), Some(deletion));
    deleted.await.expect(204);
    let new_email = json!({"email": "ada@example.org", "current_password": PASSWORD});
    for answer in [
        service.get("/users/me", &ada).await,
        patch(&service, &ada, json!({"username": "countess"})).await,
        patch(&service, &ada, new_email).await,
    ] {
        assert_eq!(answer.problem(401)["type"], "/problems/invalid-token");
    }
}

#[apply(behaviour)]
async fn an_export_contains_all_data_of_the_user(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let id = service.new_post(&ada, "Title").await;
    service.new_draft(&ada, "Draft").await;
    service
        .call("PUT", &format!("/posts/{id}/vote"), Some(&ada), None)
        .await
        .expect(200);
    let new = json!({"name": "Bot", "scopes": ["posts:read", "votes:write"]});
    service.post("/tokens", &ada, new).await.expect(201);
    let export = service.get("/users/me/export", &ada).await.expect(200);
    assert_eq!(export.header("cache-control"), Some("no-store"));
    assert!(
        export
            .header("content-disposition")
            .unwrap()
            .contains("acclaim.json")
    );
    let data = export.json();
    assert_eq!(data["user"]["email"], "ada@example.com");
    let titles: Vec<_> = data["posts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|post| &post["title"])
        .collect();
    assert_eq!(titles, ["Title", "Draft"]);
    assert_eq!(data["votes"][0]["post_id"], id);
    for moment in [&data["votes"][0]["created_at"], &data["user"]["updated_at"]] {
        assert!(moment.as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(data["sessions"][0]["current"], true);
    assert_eq!(
        data["tokens"][0]["scopes"],
        json!(["posts:read", "votes:write"])
    );
    assert!(!export.text.contains("argon2") && !export.text.contains("acl_"));
}
