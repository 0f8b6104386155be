//! `POST /revoke` (RFC 7009).

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::{
    auth::{
        refresh::{refresh, refuses_refresh, with_tokens},
        scopes,
    },
    harness::{
        Fixture, apply, behaviour, column,
        service::{Answer, PASSWORD, Service, User},
    },
};

async fn revoke(service: &Service, form: &[(&str, &str)]) -> Answer {
    let request = service.request("POST", "/revoke").form(form);
    Answer::of(request.send().await.expect("no answer")).await
}

#[apply(behaviour)]
async fn a_token_of_a_session_ends_the_session(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for hint in ["access_token", "refresh_token", "magic", ""] {
        for by_access_token in [true, false] {
            let user = service.sign_in("ada", PASSWORD).await;
            service.get("/users/me", &user).await.expect(200);
            let token = if by_access_token {
                &user.token
            } else {
                &user.refresh_token
            };
            // Also for a token that is revoked already.
            for _ in 0..2 {
                let form = [("token", &**token), ("token_type_hint", hint)];
                let answer = revoke(&service, &form).await.expect(200);
                assert_eq!(answer.json(), json!({}));
                service.get("/users/me", &user).await.problem(401);
                refuses_refresh(&service, &user).await;
            }
        }
    }
    // A token that was exchanged before, and a narrowed one.
    let user = service.sign_in("ada", PASSWORD).await;
    let next = refresh(&service, &user.refresh_token).await.expect(200);
    let next = with_tokens(&user, &next.json());
    revoke(&service, &[("token", &user.refresh_token)])
        .await
        .expect(200);
    service.get("/users/me", &next).await.problem(401);
    let narrow = service.sign_in("ada", PASSWORD).await;
    let narrow = scopes::refresh(&service, &narrow, "posts:read").await;
    let narrow = with_tokens(&ada, &narrow.expect(200).json());
    revoke(&service, &[("token", &narrow.token)])
        .await
        .expect(200);
    refuses_refresh(&service, &narrow).await;
    service.get("/users/me", &ada).await.expect(200);
}

#[apply(behaviour)]
async fn a_personal_access_token_is_revoked_also_of_a_suspended_user(fixture: Fixture) {
    use sea_orm::ConnectionTrait;
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let new = json!({"name": "Bot", "scopes": ["posts:read"]});
    let mut bots = Vec::new();
    for _ in 0..2 {
        let new = service.post("/tokens", &ada, new.clone()).await;
        let token = new.expect(201).json()["token"].as_str().unwrap().to_owned();
        bots.push(User {
            token,
            ..ada.clone()
        });
    }
    service.get("/posts", &bots[0]).await.expect(200);
    revoke(&service, &[("token", &bots[0].token)])
        .await
        .expect(200);
    service.get("/posts", &bots[0]).await.problem(401);
    service.get("/posts", &bots[1]).await.expect(200);
    let connection = fixture.connect().await;
    let suspend = "UPDATE users SET suspended_at = created_at";
    connection.execute_unprepared(suspend).await.expect(suspend);
    revoke(&service, &[("token", &bots[1].token)])
        .await
        .expect(200);
    let left = column(&connection, "SELECT id FROM tokens").await;
    assert!(left.is_empty(), "{left:?}");
}

#[apply(behaviour)]
async fn an_unknown_token_is_no_error_and_a_missing_one_is(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let forged = format!("{}x", ada.token);
    for token in ["x", "acl_x", "a.b.c", "\u{e4}\0", &*forged] {
        let answer = revoke(&service, &[("token", token)]).await;
        answer.expect(200);
    }
    service.get("/users/me", &ada).await.expect(200);
    let long = "x".repeat(2049);
    for form in [
        &[][..],
        &[("token", "")],
        &[("token_type_hint", "access_token")],
        &[("token", "a"), ("token", "b")],
        &[("token", &*long)],
    ] {
        let answer = revoke(&service, form).await;
        assert_eq!(answer.oauth_error(), "invalid_request");
    }
    let raw = async |kind: &str, body: &'static str| {
        let request = service.request("POST", "/revoke");
        let request = request.header("content-type", kind).body(body);
        Answer::of(request.send().await.unwrap()).await
    };
    for body in ["{", "[]", "{}", r#"{"token": 1}"#] {
        let answer = raw("application/json", body).await;
        assert_eq!(answer.oauth_error(), "invalid_request", "{body}");
    }
    raw("text/plain", "token=a").await.problem(415);
    raw("application/json", r#"{"token": "a"}"#)
        .await
        .expect(200);
}

#[apply(behaviour)]
async fn a_revocation_ends_a_cached_session_that_another_server_ended(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    // Fills the cache.
    service.get("/users/me", &ada).await.expect(200);
    let connection = fixture.connect().await;
    let end = "DELETE FROM sessions";
    connection.execute_unprepared(end).await.expect(end);
    revoke(&service, &[("token", &ada.token)]).await.expect(200);
    service.get("/users/me", &ada).await.problem(401);
}
