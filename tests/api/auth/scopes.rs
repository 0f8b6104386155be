//! Scopes of sessions and of their access tokens.

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::{
    auth::{access_tokens::decoded, refresh::with_tokens},
    harness::{
        Fixture, apply, behaviour, column,
        service::{Answer, PASSWORD, Service, User},
    },
};

const EVERY: &str =
    "posts:read posts:create posts:update posts:delete votes:write events:read account introspect";

/// Signs `ada` in with `scope`.
pub async fn sign_in(service: &Service, scope: &str) -> Answer {
    let form = [
        ("grant_type", "password"),
        ("username", "ada"),
        ("password", PASSWORD),
        ("scope", scope),
    ];
    let request = service.request("POST", "/login").form(&form);
    Answer::of(request.send().await.expect("no answer")).await
}

/// Refreshes the session of `user` with `scope`.
pub async fn refresh(service: &Service, user: &User, scope: &str) -> Answer {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &user.refresh_token),
        ("scope", scope),
    ];
    let request = service.request("POST", "/login").form(&form);
    Answer::of(request.send().await.expect("no answer")).await
}

async fn reads(service: &Service, user: &User) -> u16 {
    service.get("/posts", user).await.status
}

async fn writes(service: &Service, user: &User) -> u16 {
    let post = json!({"title": "t", "content": "c"});
    service.post("/posts", user, post).await.status
}

#[apply(behaviour)]
async fn a_session_has_the_requested_scopes_and_no_more(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    // In any order, also repeated. The response has them in one order.
    let tokens = sign_in(&service, "posts:create posts:read posts:create").await;
    let tokens = tokens.expect(200).json();
    assert_eq!(tokens["scope"], "posts:read posts:create");
    let limited = with_tokens(&ada, &tokens);
    assert_eq!(decoded(&limited.token).1["scope"], tokens["scope"]);
    assert_eq!(reads(&service, &limited).await, 200);
    assert_eq!(writes(&service, &limited).await, 201);
    let refused = service.get("/users/me", &limited).await;
    assert_eq!(refused.problem(403)["type"], "/problems/insufficient-scope");
    // A refresh without a scope keeps them.
    let tokens = refresh(&service, &limited, "").await.expect(200).json();
    assert_eq!(tokens["scope"], "posts:read posts:create");
    let limited = with_tokens(&ada, &tokens);
    service.get("/users/me", &limited).await.problem(403);
    let sessions = service.get("/sessions", &ada).await.expect(200).json();
    assert_eq!(sessions[0]["scopes"], json!(["posts:read", "posts:create"]));
    let every: Vec<&str> = EVERY.split(' ').collect();
    assert_eq!(sessions[1]["scopes"], json!(every));
    // An empty scope counts as omitted.
    let tokens = sign_in(&service, "").await.expect(200).json();
    assert_eq!(tokens["scope"], EVERY);
    // Every scope is no limit, so that the session gets those of later versions too.
    sign_in(&service, EVERY).await.expect(200);
    let limits = "SELECT scopes FROM sessions WHERE scopes IS NOT NULL";
    let limits = column(&fixture.connect().await, limits).await;
    assert_eq!(limits, ["posts:read posts:create"]);
    for scope in [
        "magic",
        "posts:read  account",
        " posts:read",
        "POSTS:READ",
        " ",
    ] {
        let refused = sign_in(&service, scope).await;
        assert_eq!(refused.oauth_error(), "invalid_scope", "{scope}");
    }
}

#[apply(behaviour)]
async fn a_refresh_narrows_the_access_token_and_never_widens_it(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let tokens = sign_in(&service, "posts:read posts:create").await;
    let first = with_tokens(&ada, &tokens.expect(200).json());
    let tokens = refresh(&service, &first, "posts:read").await;
    let tokens = tokens.expect(200).json();
    assert_eq!(tokens["scope"], "posts:read");
    let narrow = with_tokens(&ada, &tokens);
    assert_eq!(decoded(&narrow.token).1["scope"], "posts:read");
    assert_eq!(reads(&service, &narrow).await, 200);
    assert_eq!(writes(&service, &narrow).await, 403);
    // Other access tokens of the session keep its scopes.
    assert_eq!(writes(&service, &first).await, 201);
    // A refused refresh leaves its token unused.
    for scope in ["posts:read account", EVERY] {
        let wider = refresh(&service, &narrow, scope).await;
        assert_eq!(wider.oauth_error(), "invalid_scope", "{scope}");
    }
    // RFC 6749, section 6: the next refresh token has the scopes of the session.
    let tokens = refresh(&service, &narrow, "").await.expect(200).json();
    assert_eq!(tokens["scope"], "posts:read posts:create");
    let whole = with_tokens(&ada, &tokens);
    assert_eq!(writes(&service, &whole).await, 201);
}

/// A session with fewer scopes must not get more by another route.
#[apply(behaviour)]
async fn a_limited_session_cannot_create_credentials_or_use_a_role(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let admin = "UPDATE users SET role = 'admin'";
    let connection = fixture.connect().await;
    connection.execute_unprepared(admin).await.expect(admin);
    let ada = service.sign_in("ada", PASSWORD).await;
    let all_but_one = EVERY.strip_suffix(" introspect").unwrap();
    let tokens = sign_in(&service, all_but_one).await.expect(200).json();
    let limited = with_tokens(&ada, &tokens);
    // Narrowed by a refresh.
    let tokens = refresh(&service, &ada, "account").await.expect(200).json();
    let narrow = with_tokens(&ada, &tokens);
    let tokens = sign_in(&service, EVERY).await.expect(200).json();
    let every = with_tokens(&ada, &tokens);
    let new = json!({"name": "Bot", "scopes": ["account"]});
    for user in [&limited, &narrow] {
        for (method, path, body) in [
            ("POST", "/tokens", Some(new.clone())),
            ("GET", "/users", None),
            ("GET", "/audit-log", None),
        ] {
            let refused = service.call(method, path, Some(user), body).await;
            let problem = refused.problem(403);
            assert_eq!(problem["type"], "/problems/session-required");
            let challenge = Some(r#"Bearer error="insufficient_scope""#);
            assert_eq!(refused.header("www-authenticate"), challenge);
        }
    }
    // Neither deletes posts of others nor sees a suspension.
    let grace = service.user("grace").await;
    let new_post = json!({"title": "Relay 70", "content": "A moth."});
    let post = service.post("/posts", &grace, new_post).await.expect(201);
    let post = format!("/posts/{}", post.json()["id"]);
    let profile = format!("/users/{}", grace.id);
    let tokens = refresh(&service, &every, "posts:delete posts:read").await;
    let deletes = with_tokens(&ada, &tokens.expect(200).json());
    for user in [&limited, &deletes] {
        let refused = service.call("DELETE", &post, Some(user), None).await;
        assert_eq!(refused.problem(403)["type"], "/problems/not-owner");
    }
    let suspension = format!("{profile}/suspension");
    service
        .call("PUT", &suspension, Some(&every), Some(json!({})))
        .await
        .expect(200);
    for (user, sees) in [(&limited, false), (&deletes, false), (&every, true)] {
        let seen = service.get(&profile, user).await.expect(200).json();
        assert_eq!(seen["suspended_at"].is_string(), sees);
    }
    service
        .post("/tokens", &every, new.clone())
        .await
        .expect(201);
    service.get("/audit-log", &every).await.expect(200);
    // Any session can end itself.
    let out = service.call("POST", "/logout", Some(&narrow), None).await;
    out.expect(204);
    let out = service.call("POST", "/logout", Some(&limited), None).await;
    out.expect(204);
}

#[apply(behaviour)]
async fn a_new_password_keeps_the_scopes_of_the_caller(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let tokens = sign_in(&service, "posts:read account").await;
    let limited = with_tokens(&ada, &tokens.expect(200).json());
    let body = json!({"password": "battery staple", "current_password": PASSWORD});
    let changed = service.call("PATCH", "/users/me", Some(&limited), Some(body));
    let tokens = changed.await.expect(200).json()["tokens"].clone();
    assert_eq!(tokens["scope"], "posts:read account");
    let limited = with_tokens(&ada, &tokens);
    assert_eq!(writes(&service, &limited).await, 403);
    let sessions = service.get("/sessions", &limited).await.expect(200).json();
    let scopes: Vec<&Value> = sessions.as_array().unwrap().iter().collect();
    assert_eq!(scopes.len(), 1);
    assert_eq!(scopes[0]["scopes"], json!(["posts:read", "account"]));
    let wider = refresh(&service, &limited, EVERY).await;
    assert_eq!(wider.oauth_error(), "invalid_scope");
}

/// The older version would give a limited session every scope.
#[apply(behaviour)]
async fn the_revert_of_the_migration_ends_limited_sessions(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let tokens = sign_in(&service, "posts:read").await.expect(200).json();
    let limited = with_tokens(&ada, &tokens);
    // Later migrations are reverted first.
    let connection = fixture.connect().await;
    let select = "SELECT scopes FROM sessions";
    while connection.execute_unprepared(select).await.is_ok() {
        let down = migration::Command::DOWN;
        migration::run(&fixture.owned_database(), &down)
            .await
            .unwrap();
    }
    fixture.migrate().await;
    let state = fixture.state(&fixture.database()).await;
    let service = fixture.start(state, acclaim::config::Origins::Any);
    service.get("/posts", &limited).await.problem(401);
    service.get("/posts", &ada).await.expect(200);
}
