//! Requests that cause errors.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::harness::service::{Service, User};

type Sources = Vec<(&'static str, RequestBuilder)>;

/// One request for each cause of an error.
pub fn requests(service: &Service, ada: &User, grace: &User) -> Sources {
    let parts = [
        unreadable(service, ada),
        invalid(service, ada),
        refused(service, ada, grace),
    ];
    parts.into_iter().flatten().collect()
}

/// Input that cannot be parsed.
fn unreadable(service: &Service, ada: &User) -> Sources {
    let call = |method: &str, path: &str| service.request(method, path);
    let as_ada = |method: &str, path: &str| call(method, path).bearer_auth(&ada.token);
    let raw = |kind: &str, body: &'static [u8]| {
        as_ada("POST", "/posts")
            .header("content-type", kind)
            .body(body)
    };
    let origin = |origin: &str| {
        call("OPTIONS", "/posts")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
    };
    vec![
        (
            "a header that is not ASCII",
            call("GET", "/posts").header("authorization", &b"Bearer \xff"[..]),
        ),
        (
            "an invalid key",
            as_ada("POST", "/posts").header("idempotency-key", "a b"),
        ),
        (
            "two keys",
            as_ada("POST", "/posts")
                .header("idempotency-key", "a")
                .header("idempotency-key", "b"),
        ),
        (
            "two tokens",
            as_ada("GET", "/posts").bearer_auth(&ada.token),
        ),
        (
            "a form that is not UTF-8",
            call("POST", "/login")
                .header("content-type", "application/x-www-form-urlencoded")
                .body("username=%FF"),
        ),
        (
            "a multipart body that breaks off",
            call("POST", "/login")
                .header("content-type", "multipart/form-data; boundary=x")
                .body("--x\r\n"),
        ),
        (
            "a query that is not UTF-8",
            as_ada("GET", "/posts?search=%FF"),
        ),
        ("a body that is not JSON", raw("application/json", b"{")),
        (
            "a header that is no media type",
            raw("not a media type", b"{}"),
        ),
        ("another media type", raw("text/plain", b"{}")),
        (
            "a compressed body",
            raw("application/json", b"{}").header("content-encoding", "gzip"),
        ),
        (
            "a body that is too large",
            raw("application/json", &[b' '; 1024 * 1024 + 1]),
        ),
        ("a page of another origin", origin("https://evil.example")),
    ]
}

/// Input that is well-formed but invalid.
fn invalid(service: &Service, ada: &User) -> Sources {
    let call = |method: &str, path: &str| service.request(method, path);
    let as_ada = |method: &str, path: &str| call(method, path).bearer_auth(&ada.token);
    let post = |body: &Value| as_ada("POST", "/posts").json(body);
    vec![
        (
            "a missing password",
            call("POST", "/login").form(&[("username", "ada")]),
        ),
        (
            "another grant type",
            call("POST", "/login").json(
                &json!({"username": "ada", "password": "correct horse", "grant_type": "magic"}),
            ),
        ),
        (
            "a user with only invalid fields",
            call("POST", "/users")
                .json(&json!({"email": "ada", "password": "short", "username": "!"})),
        ),
        (
            "a path id that is not a number",
            as_ada("GET", "/posts/abc"),
        ),
        (
            "a query that is not valid",
            as_ada(
                "GET",
                "/posts?limit=0&skip=-1&sort=best&published=maybe&limit=1",
            ),
        ),
        (
            "a vote with an invalid direction",
            as_ada("POST", "/vote").json(&json!({"post_id": 0, "dir": 2})),
        ),
        (
            "a revocation without a token",
            call("POST", "/revoke").form(&[("token_type_hint", "refresh_token")]),
        ),
        ("a body that is not an object", post(&json!([]))),
        (
            "a post with only invalid fields",
            post(&json!({"title": " ", "content": "\0", "published": 1})),
        ),
        ("an empty post", post(&json!({}))),
        (
            "a post with repeated members",
            as_ada("POST", "/posts")
                .header("content-type", "application/json")
                .body(r#"{"title": "a", "title": "b", "x": {"y": 1, "y": 2}}"#),
        ),
    ]
}

/// Valid requests that authorisation or the stored data forbids.
fn refused(service: &Service, ada: &User, grace: &User) -> Sources {
    let call = |method: &str, path: &str| service.request(method, path);
    let as_ada = |method: &str, path: &str| call(method, path).bearer_auth(&ada.token);
    vec![
        ("no token", call("GET", "/posts")),
        ("a bad token", call("GET", "/posts").bearer_auth("bad")),
        (
            "a wrong password",
            call("POST", "/login").form(&[("username", "ada"), ("password", "wrong")]),
        ),
        (
            "a wrong password of an OAuth 2.0 client",
            call("POST", "/login").form(&[
                ("grant_type", "password"),
                ("username", "ada"),
                ("password", "wrong"),
            ]),
        ),
        (
            "a bad refresh token",
            call("POST", "/login")
                .form(&[("grant_type", "refresh_token"), ("refresh_token", "bad")]),
        ),
        (
            "an unknown scope of an OAuth 2.0 client",
            call("POST", "/login").form(&[
                ("grant_type", "password"),
                ("username", "ada"),
                ("password", "correct horse"),
                ("scope", "posts:magic"),
            ]),
        ),
        (
            "an e-mail address that is taken",
            call("POST", "/users")
                .json(&json!({"email": "ada@example.com", "password": "correct horse"})),
        ),
        (
            "a username that is taken",
            call("POST", "/users").json(
                &json!({"email": "a@example.com", "password": "correct horse", "username": "ada"}),
            ),
        ),
        (
            "another user's post",
            call("DELETE", "/posts/1").bearer_auth(&grace.token),
        ),
        ("no such post", as_ada("GET", "/posts/42")),
        ("no such user", as_ada("GET", "/users/42")),
        (
            "a vote that exists already",
            as_ada("POST", "/vote").json(&json!({"post_id": 1, "dir": 1})),
        ),
        (
            "a vote that does not exist",
            call("POST", "/vote")
                .bearer_auth(&grace.token)
                .json(&json!({"post_id": 1, "dir": 0})),
        ),
        (
            "the key of another request",
            as_ada("POST", "/posts")
                .header("idempotency-key", "used")
                .json(&json!({"title": "t", "content": "c"})),
        ),
        (
            "a repeated request for a token",
            as_ada("POST", "/tokens")
                .header("idempotency-key", "used")
                .json(&json!({"name": "Bot", "scopes": ["posts:read"]})),
        ),
        ("no such path", call("GET", "/nothing")),
        ("no such problem type", call("GET", "/problems/nothing")),
        ("no such file of a page", call("GET", "/docs/nothing.js")),
        ("another method", call("PATCH", "/posts")),
        ("a handler that panics", call("GET", "/panics")),
    ]
}
