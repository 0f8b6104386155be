//! `POST /introspect` (RFC 7662).

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::{
    auth::{
        access_tokens::decoded,
        refresh::{refresh, with_tokens},
        scopes,
    },
    harness::{
        Fixture, apply, behaviour,
        service::{Answer, Service, User},
        wait_for,
    },
};

/// A new personal access token of `user`.
async fn new_token(service: &Service, user: &User, name: &str, scope: &str) -> String {
    let new = json!({"name": name, "scopes": [scope]});
    let made = service.post("/tokens", user, new).await.expect(201).json();
    made["token"].as_str().unwrap().to_owned()
}

/// A service with a token of the scope `introspect`.
async fn introspector(service: &Service) -> User {
    let grace = service.user("grace").await;
    let token = new_token(service, &grace, "Gateway", "introspect").await;
    User { token, ..grace }
}

async fn answer(service: &Service, caller: &User, form: &[(&str, &str)]) -> Answer {
    let request = service.request("POST", "/introspect").form(form);
    let request = request.bearer_auth(&caller.token);
    Answer::of(request.send().await.expect("no answer")).await
}

async fn introspect(service: &Service, caller: &User, token: &str) -> Value {
    let form = [("token", token), ("token_type_hint", "access_token")];
    let answer = answer(service, caller, &form).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

#[apply(behaviour)]
async fn active_tokens_of_each_kind_are_described(fixture: Fixture) {
    let service = fixture.serve().await;
    let gateway = introspector(&service).await;
    service.user("ada").await;
    let tokens = scopes::sign_in(&service, "posts:read account").await;
    let ada = with_tokens(&gateway, &tokens.expect(200).json());
    let claims = decoded(&ada.token).1;
    let mut expected = json!({
        "active": true, "scope": "posts:read account", "username": "ada", "token_type": "bearer",
        "exp": claims["exp"], "iat": claims["iat"], "sub": claims["sub"],
        "aud": "acclaim", "iss": "acclaim",
    });
    assert_eq!(introspect(&service, &gateway, &ada.token).await, expected);
    // A narrowed access token has its own scopes. The refresh token has those of the session.
    let tokens = scopes::refresh(&service, &ada, "posts:read").await;
    let narrow = with_tokens(&ada, &tokens.expect(200).json());
    let claims = decoded(&narrow.token).1;
    expected["scope"] = json!("posts:read");
    expected["exp"] = claims["exp"].clone();
    expected["iat"] = claims["iat"].clone();
    let shown = introspect(&service, &gateway, &narrow.token).await;
    assert_eq!(shown, expected);
    let shown = introspect(&service, &gateway, &narrow.refresh_token).await;
    let lifetime = shown["exp"].as_i64().unwrap() - shown["iat"].as_i64().unwrap();
    assert_eq!(lifetime, 30 * 24 * 3600);
    expected["scope"] = json!("posts:read account");
    expected["token_type"] = json!("refresh_token");
    expected["exp"] = shown["exp"].clone();
    expected["iat"] = shown["iat"].clone();
    assert_eq!(shown, expected);
    // The gateway's own token does not expire.
    let shown = introspect(&service, &gateway, &gateway.token).await;
    assert_eq!(shown["active"], true);
    assert_eq!(shown["scope"], "introspect");
    assert_eq!(shown["username"], "grace");
    assert_eq!(shown["sub"], gateway.id.to_string());
    assert_eq!(shown.get("exp"), None);
}

#[apply(behaviour)]
async fn ended_and_unknown_tokens_are_inactive(fixture: Fixture) {
    let service = fixture.serve().await;
    let gateway = introspector(&service).await;
    let ada = service.user("ada").await;
    let bot = &*new_token(&service, &ada, "Bot", "posts:read").await;
    let next = refresh(&service, &ada.refresh_token).await.expect(200);
    let next = with_tokens(&ada, &next.json());
    let active = async |tokens: &[&str]| {
        let mut all = Vec::new();
        for token in tokens {
            let state = introspect(&service, &gateway, token).await;
            let is_active = state["active"].as_bool().unwrap();
            assert!(is_active || state == json!({"active": false}), "{state}");
            all.push(is_active);
        }
        all
    };
    let tokens = [&*ada.token, &next.refresh_token, &ada.refresh_token, bot];
    // The exchanged refresh token works for 10 more seconds.
    assert_eq!(active(&tokens).await, [true; 4]);
    let forged = format!("{}x", ada.token);
    let unknown = ["x", "acl_x", "a.b.c", "\0", &*forged];
    assert_eq!(active(&unknown).await, [false; 5]);
    let connection = fixture.connect().await;
    let execute = async |sql: &str| connection.execute_unprepared(sql).await.expect(sql);
    execute(
        "UPDATE refresh_tokens SET replaced_at = '2026-01-01T00:00:00Z' WHERE parent_hash IS NULL",
    )
    .await;
    assert_eq!(active(&tokens).await, [true, true, false, true]);
    let suspend = format!(
        "UPDATE users SET suspended_at = created_at WHERE id = {}",
        ada.id
    );
    execute(&suspend).await;
    assert_eq!(active(&tokens).await, [false; 4]);
    execute("UPDATE users SET suspended_at = NULL").await;
    assert_eq!(active(&tokens).await, [true, true, false, true]);
    let past = format!(
        "UPDATE sessions SET expires_at = created_at WHERE user_id = {}",
        ada.id
    );
    execute(&past).await;
    let past = format!(
        "UPDATE tokens SET expires_at = created_at WHERE user_id = {}",
        ada.id
    );
    execute(&past).await;
    assert_eq!(active(&tokens).await, [false; 4]);
    let end = format!("DELETE FROM sessions WHERE user_id = {}", ada.id);
    execute(&end).await;
    assert_eq!(active(&tokens).await, [false; 4]);
}

#[apply(behaviour)]
async fn an_introspection_needs_its_scope_and_a_token(fixture: Fixture) {
    let service = fixture.serve().await;
    let gateway = introspector(&service).await;
    let ada = service.user("ada").await;
    let form = json!({"token": ada.token});
    let none = service.call("POST", "/introspect", None, Some(form)).await;
    none.problem(401);
    let tokens = scopes::sign_in(&service, "posts:read account").await;
    let limited = with_tokens(&ada, &tokens.expect(200).json());
    let refused = answer(&service, &limited, &[("token", &ada.token)]).await;
    assert_eq!(refused.problem(403)["type"], "/problems/insufficient-scope");
    for form in [&[][..], &[("token", "")], &[("token", "a"), ("token", "b")]] {
        let invalid = answer(&service, &gateway, form).await;
        assert_eq!(invalid.oauth_error(), "invalid_request");
    }
}

#[apply(behaviour)]
async fn an_introspection_is_no_use_of_the_token(fixture: Fixture) {
    let service = fixture.serve().await;
    let gateway = introspector(&service).await;
    let ada = service.user("ada").await;
    let bot = &*new_token(&service, &ada, "Bot", "posts:read").await;
    let shown = introspect(&service, &ada, bot).await;
    assert_eq!(shown["active"], true);
    // This use is noted later, so it is stored no earlier than one of the other token would be.
    introspect(&service, &gateway, "unknown").await;
    let connection = fixture.connect().await;
    let used = "SELECT name FROM tokens WHERE last_used_at IS NOT NULL ORDER BY id";
    wait_for(&connection, used, &["Gateway"]).await;
}
