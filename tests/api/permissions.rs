//! The access matrix: every route with every scope and every kind of caller.

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, PASSWORD, Service, User},
};

/// The callers that a route accepts.
#[derive(Clone, Copy, PartialEq)]
enum Callers {
    /// Any caller. A token is ignored.
    Public,
    /// Any caller. A token, if sent, must be valid.
    PublicWithValidToken,
    /// All users.
    Users,
    /// All users with a session, for `POST /tokens` with every scope. Personal access tokens are refused.
    SignedIn,
    /// The owner of the post.
    Owner,
    /// The owner of the post, moderators and admins.
    OwnerOrModerator,
    /// Admins with a session.
    Admins,
}
use Callers::{Admins, Owner, OwnerOrModerator, Public, PublicWithValidToken, SignedIn, Users};

/// Method and path, accepted callers, scopes and body. A personal access token needs one of the scopes.
type Row = (&'static str, Callers, &'static [&'static str], &'static str);

const READ: &[&str] = &["posts:read"];
const ACCOUNT: &[&str] = &["account"];
const VOTE: &[&str] = &["votes:write"];
const EVENTS: &[&str] = &["events:read"];
const POST: &str = r#"{"title": "t", "content": "c"}"#;

/// An `{id}` that does not exist, for all paths except those of posts.
const UNKNOWN_ID: &str = "999999999";

const ROWS: [Row; 59] = [
    ("GET /", Public, &[], ""),
    ("GET /.well-known/jwks.json", Public, &[], ""),
    (
        "GET /.well-known/oauth-authorization-server",
        Public,
        &[],
        "",
    ),
    ("GET /docs", Public, &[], ""),
    ("GET /health/live", Public, &[], ""),
    ("GET /health/ready", Public, &[], ""),
    ("GET /openapi.json", Public, &[], ""),
    ("GET /problems", Public, &[], ""),
    ("GET /problems/{slug}", Public, &[], ""),
    ("GET /events", Users, EVENTS, ""),
    ("POST /events/tickets", Users, EVENTS, ""),
    ("POST /login", Public, &[], r#"{"username": "nobody"}"#),
    ("POST /users", Public, &[], r#"{"username": "nobody"}"#),
    ("POST /revoke", Public, &[], r#"{"token": "unknown"}"#),
    (
        "POST /introspect",
        Users,
        &["introspect"],
        r#"{"token": "unknown"}"#,
    ),
    (
        "GET /users/{id}",
        PublicWithValidToken,
        &["posts:read", "account"],
        "",
    ),
    ("GET /posts", Users, READ, ""),
    ("GET /posts/{id}", Users, READ, ""),
    ("GET /posts/{id}/stats", Users, READ, ""),
    ("GET /stats", Users, READ, ""),
    ("GET /tags", Users, READ, ""),
    ("GET /users/{id}/stats", Users, READ, ""),
    ("POST /posts", Users, &["posts:create"], POST),
    (
        "POST /posts/bulk",
        Users,
        &["posts:create"],
        r#"{"posts": [{"title": "t", "content": "c"}]}"#,
    ),
    (
        "PATCH /posts/bulk",
        Users,
        &["posts:update"],
        r#"{"posts": [{"id": 999999999, "title": "t"}]}"#,
    ),
    (
        "DELETE /posts/bulk",
        Users,
        &["posts:delete"],
        r#"{"posts": [{"id": 999999999}]}"#,
    ),
    (
        "PUT /posts/by-external-id/{external_id}",
        Users,
        &["posts:create"],
        POST,
    ),
    ("PUT /posts/{id}", Owner, &["posts:update"], POST),
    ("PATCH /posts/{id}", Owner, &["posts:update"], "{}"),
    (
        "DELETE /posts/{id}",
        OwnerOrModerator,
        &["posts:delete"],
        "",
    ),
    (
        "POST /vote",
        Users,
        VOTE,
        r#"{"post_id": 999999999, "dir": 1}"#,
    ),
    ("PUT /posts/{id}/vote", Users, VOTE, ""),
    ("DELETE /posts/{id}/vote", Users, VOTE, ""),
    ("GET /users/me", Users, ACCOUNT, ""),
    ("PATCH /users/me", Users, ACCOUNT, "{}"),
    ("DELETE /users/me", Users, ACCOUNT, "{}"),
    ("GET /users/me/export", Users, ACCOUNT, ""),
    ("POST /users/me/import", SignedIn, &[], "{}"),
    ("GET /sessions", Users, ACCOUNT, ""),
    ("DELETE /sessions/{id}", Users, ACCOUNT, ""),
    ("GET /tokens", Users, ACCOUNT, ""),
    ("DELETE /tokens/{id}", Users, ACCOUNT, ""),
    (
        "POST /tokens",
        SignedIn,
        &[],
        r#"{"name": "t", "scopes": ["account"]}"#,
    ),
    (
        "POST /webhooks",
        SignedIn,
        &[],
        r#"{"url": "https://127.0.0.1/"}"#,
    ),
    ("GET /webhooks", Users, ACCOUNT, ""),
    ("GET /webhooks/{id}", Users, ACCOUNT, ""),
    ("PATCH /webhooks/{id}", SignedIn, &[], "{}"),
    ("DELETE /webhooks/{id}", Users, ACCOUNT, ""),
    ("POST /webhooks/{id}/secret", SignedIn, &[], ""),
    ("POST /webhooks/{id}/test", Users, ACCOUNT, ""),
    ("GET /webhooks/{id}/deliveries", Users, ACCOUNT, ""),
    (
        "POST /webhooks/{id}/redeliver",
        Users,
        ACCOUNT,
        r#"{"after": 0}"#,
    ),
    (
        "POST /webhooks/{id}/deliveries/{position}/redeliver",
        Users,
        ACCOUNT,
        "",
    ),
    ("GET /users", Admins, &[], ""),
    ("PUT /users/{id}/suspension", Admins, &[], "{}"),
    ("DELETE /users/{id}/suspension", Admins, &[], ""),
    ("GET /audit-log", Admins, &[], ""),
    // These two end the session of the caller.
    ("DELETE /sessions", Users, ACCOUNT, ""),
    ("POST /logout", SignedIn, &[], ""),
];

async fn call(service: &Service, row: &Row, user: Option<&User>, post: i64) -> Answer {
    let (route, _, _, body) = row;
    let (method, path) = route.split_once(' ').expect("no method");
    let id = if path.starts_with("/posts") {
        post.to_string()
    } else {
        UNKNOWN_ID.to_owned()
    };
    let path = path
        .replace("{id}", &id)
        .replace("{slug}", "not-found")
        .replace("{external_id}", "x")
        .replace("{position}", "1");
    let body = (!body.is_empty()).then(|| serde_json::from_str(body).expect("not JSON"));
    service.call(method, &path, user, body).await
}

async fn become_role(fixture: &Fixture, name: &str, role: &str) {
    let sql = format!("UPDATE users SET role = '{role}' WHERE username = '{name}'");
    let connection = fixture.connect().await;
    connection.execute_unprepared(&sql).await.expect(&sql);
}

/// The username of a caller. The names of roles are reserved.
fn account(caller: &str) -> String {
    match caller {
        "moderator" | "admin" => format!("the-{caller}"),
        name => name.to_owned(),
    }
}

/// Asserts that `ROWS` has every route of the document.
async fn assert_complete(service: &Service) {
    let document = service
        .call("GET", "/openapi.json", None, None)
        .await
        .json();
    let paths = document["paths"].as_object().unwrap();
    let routes: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let rows = ROWS.iter().map(|(route, ..)| (*route).to_owned());
    assert_eq!(rows.collect::<BTreeSet<_>>(), routes);
}

#[apply(behaviour)]
async fn every_route_accepts_its_scopes_and_no_others(fixture: Fixture) {
    let service = fixture.serve().await;
    assert_complete(&service).await;
    // An admin has every role and owns the posts here, so only a missing scope can cause a refusal.
    service.user("ada").await;
    become_role(&fixture, "ada", "admin").await;
    let ada = service.sign_in("ada", PASSWORD).await;
    let mut tokens = Vec::new();
    for scope in [
        "posts:read",
        "posts:create",
        "posts:update",
        "posts:delete",
        "votes:write",
        "account",
        "introspect",
    ] {
        let new = json!({"name": scope, "scopes": [scope]});
        let token = service.post("/tokens", &ada, new).await.expect(201).json();
        let token = token["token"].as_str().unwrap().to_owned();
        tokens.push((
            scope,
            User {
                token,
                ..ada.clone()
            },
        ));
    }
    let writer = tokens[1].1.clone();
    for row in &ROWS {
        for (scope, bearer) in &tokens {
            let post = service.new_post(&writer, "Title").await;
            let answer = call(&service, row, Some(bearer), post).await;
            let allowed = matches!(row.1, Public) || row.2.contains(scope);
            let context = format!("{} with {scope}: {}", row.0, answer.text);
            if allowed {
                assert_eq!(answer.header("www-authenticate"), None, "{context}");
                assert_ne!(answer.status, 403, "{context}");
            } else {
                assert_eq!(answer.status, 403, "{context}");
                let challenge = Some(r#"Bearer error="insufficient_scope""#);
                assert_eq!(answer.header("www-authenticate"), challenge, "{context}");
            }
        }
    }
}

#[apply(behaviour)]
async fn every_route_accepts_its_callers_and_no_others(fixture: Fixture) {
    let service = fixture.serve().await;
    let owner = service.user("owner").await;
    let mut callers = vec![("anonymous", None)];
    for name in ["owner", "other", "moderator", "admin", "suspended"] {
        if name != "owner" {
            service.user(&account(name)).await;
        }
        if ["moderator", "admin"].contains(&name) {
            become_role(&fixture, &account(name), name).await;
        }
        let user = service.sign_in(&account(name), PASSWORD).await;
        callers.push((name, Some(user)));
    }
    let known = |name| callers.iter().find(|(known, _)| *known == name);
    let known = |name| known(name).and_then(|(_, user)| user.as_ref()).expect(name);
    let (admin, suspended) = (known("admin"), known("suspended"));
    let path = format!("/users/{}/suspension", suspended.id);
    service
        .call("PUT", &path, Some(admin), Some(json!({})))
        .await
        .expect(200);
    for row in &ROWS {
        for (name, user) in &callers {
            let post = service.new_post(&owner, "Title").await;
            let mut user = user.clone();
            if ["POST /logout", "DELETE /sessions"].contains(&row.0)
                && !["anonymous", "suspended", "owner"].contains(name)
            {
                // These routes end the session, so use a new one. The owner still needs theirs.
                user = Some(service.sign_in(&account(name), PASSWORD).await);
            }
            if ["POST /logout", "DELETE /sessions"].contains(&row.0) && *name == "owner" {
                continue;
            }
            let answer = call(&service, row, user.as_ref(), post).await;
            let staff = ["moderator", "admin"].contains(name);
            let expected = match (row.1, *name) {
                (Public, _) | (PublicWithValidToken, "anonymous") => None,
                (_, "anonymous" | "suspended") => Some(401),
                (Owner, _) => (*name != "owner").then_some(403),
                (OwnerOrModerator, _) => (*name != "owner" && !staff).then_some(403),
                (Admins, _) => (*name != "admin").then_some(403),
                (Users | SignedIn | PublicWithValidToken, _) => None,
            };
            let context = format!("{} by {name}: {}", row.0, answer.text);
            if let Some(status) = expected {
                assert_eq!(answer.status, status, "{context}");
            } else {
                assert!(![401, 403].contains(&answer.status), "{context}");
            }
        }
    }
}
