//! Errors of `/login` for clients that send `grant_type` (RFC 6749, section 5.2).

use reqwest::multipart;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::harness::{
    Fixture, apply, behaviour, limits,
    service::{Answer, PASSWORD, Service},
};

async fn login(service: &Service, form: &[(&str, &str)]) -> Answer {
    let request = service.request("POST", "/login").form(form);
    Answer::of(request.send().await.expect("no answer")).await
}

#[apply(behaviour)]
async fn a_client_with_a_grant_type_gets_errors_of_oauth(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let unprocessable = "/problems/unprocessable-content";
    for (grant_type, members, code, uri) in [
        (
            "password",
            &[("username", "ada"), ("password", "wrong")][..],
            "invalid_grant",
            "/problems/invalid-credentials",
        ),
        (
            "password",
            &[("username", "nobody"), ("password", PASSWORD)],
            "invalid_grant",
            "/problems/invalid-credentials",
        ),
        (
            "refresh_token",
            &[("refresh_token", "unknown")],
            "invalid_grant",
            "/problems/invalid-refresh-token",
        ),
        (
            "client_credentials",
            &[("client_id", "a"), ("client_secret", "b")],
            "unsupported_grant_type",
            unprocessable,
        ),
        (
            "client_credentials",
            &[("scope", "magic")],
            "unsupported_grant_type",
            unprocessable,
        ),
        ("password", &[], "invalid_request", unprocessable),
        (
            "password",
            &[("username", "ada"), ("password", "")],
            "invalid_request",
            unprocessable,
        ),
        (
            "password",
            &[
                ("username", "ada"),
                ("username", "ada"),
                ("password", PASSWORD),
            ],
            "invalid_request",
            unprocessable,
        ),
        (
            "password",
            &[
                ("username", "ada"),
                ("password", PASSWORD),
                ("grant_type", "password"),
            ],
            "invalid_request",
            unprocessable,
        ),
        (
            "password",
            &[
                ("username", "ada"),
                ("password", PASSWORD),
                ("scope", "posts:read magic"),
            ],
            "invalid_scope",
            unprocessable,
        ),
        (
            "password",
            &[("username", "ada"), ("scope", "magic")],
            "invalid_request",
            unprocessable,
        ),
        ("refresh_token", &[], "invalid_request", unprocessable),
    ] {
        let mut form = vec![("grant_type", grant_type)];
        form.extend(members);
        let answer = login(&service, &form).await;
        assert_eq!(answer.oauth_error(), code, "{form:?}: {}", answer.text);
        assert_eq!(answer.json()["error_uri"], uri, "{form:?}");
        service.call("GET", uri, None, None).await.expect(200);
    }
}

#[apply(behaviour)]
async fn the_grant_type_is_found_in_every_format(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let post = || service.request("POST", "/login");
    let form = multipart::Form::new()
        .text("grant_type", "password")
        .text("username", "ada")
        .text("password", "wrong");
    let json = json!({"grant_type": "password", "username": "ada", "password": "wrong"});
    for request in [post().multipart(form), post().json(&json)] {
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.oauth_error(), "invalid_grant");
    }
    let raw = async |kind: &str, body: &'static [u8]| {
        let request = post().header("content-type", kind).body(body);
        Answer::of(request.send().await.unwrap()).await
    };
    let urlencoded = "application/x-www-form-urlencoded";
    let broken = raw(urlencoded, b"grant_type=password&username=%FF").await;
    assert_eq!(broken.oauth_error(), "invalid_request");
    assert_eq!(broken.json()["error_uri"], "/problems/bad-request");
    for body in [
        &br#"{"grant_type": null, "username": "ada", "password": "wrong"}"#[..],
        br#"{"grant_type": 1}"#,
        br#"{"grant_type": "password", "grant_type": "password"}"#,
        // The name of a repeated member comes from the client, with characters that no description has.
        "{\"grant_type\": \"password\", \"\\\"\u{e4}\": 1, \"\\\"\u{e4}\": 1}".as_bytes(),
    ] {
        let answer = raw("application/json", body).await;
        assert_eq!(answer.oauth_error(), "invalid_request");
    }
    // The service cannot read members of these bodies.
    raw("application/json", b"{\"grant_type\": \"password\"")
        .await
        .problem(400);
    raw("text/plain", b"grant_type=password").await.problem(415);
    let long = Answer::of(
        post()
            .form(&[("grant_type", "x".repeat(20_000))])
            .send()
            .await
            .unwrap(),
    );
    long.await.problem(413);
}

#[apply(behaviour)]
async fn a_client_without_a_grant_type_gets_problem_details(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    // A parameter without a value counts as omitted.
    for grant_type in [&[][..], &[("grant_type", "")]] {
        let with = |members: &[(&'static str, &'static str)]| {
            let mut form = grant_type.to_vec();
            form.extend(members);
            form
        };
        let form = with(&[("username", "ada"), ("password", "wrong")]);
        let wrong = login(&service, &form).await;
        assert_eq!(wrong.problem(401)["type"], "/problems/invalid-credentials");
        assert_eq!(wrong.header("www-authenticate"), Some("Bearer"));
        let empty = login(&service, &with(&[("username", "ada")])).await;
        assert_eq!(empty.field_errors(), ["password required"]);
        let form = with(&[
            ("username", "ada"),
            ("password", PASSWORD),
            ("scope", "magic"),
        ]);
        let unknown = login(&service, &form).await;
        assert_eq!(unknown.field_errors(), ["scope unknown_value"]);
    }
    let suspend = "UPDATE users SET suspended_at = created_at";
    let connection = fixture.connect().await;
    connection.execute_unprepared(suspend).await.expect(suspend);
    let form = [("username", "ada"), ("password", PASSWORD)];
    let suspended = login(&service, &form).await;
    assert_eq!(
        suspended.problem(403)["type"],
        "/problems/account-suspended"
    );
    let form = [&form[..], &[("grant_type", "password")]].concat();
    let suspended = login(&service, &form).await;
    assert_eq!(suspended.oauth_error(), "invalid_grant");
    let description = &suspended.json()["error_description"];
    assert_eq!(description, "this account is suspended");
}

#[apply(behaviour)]
async fn a_limit_answers_oauth_clients_with_its_own_status(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.limits = limits(&[("RATE_LIMIT_SIGN_IN", "1/hour")]);
    let service = fixture.start(state, acclaim::config::Origins::Any);
    let form = [
        ("grant_type", "password"),
        ("username", "ada"),
        ("password", "wrong"),
    ];
    let refused = login(&service, &form).await;
    assert_eq!(refused.oauth_error(), "invalid_grant");
    login(&service, &form).await.problem(429);
}

#[apply(behaviour)]
async fn an_email_member_is_accepted_in_place_of_the_username(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    for form in [
        &[("email", "ada@example.com"), ("password", PASSWORD)][..],
        &[
            ("grant_type", "password"),
            ("email", "ada@example.com"),
            ("password", PASSWORD),
        ],
        // The username counts.
        &[
            ("username", "ada"),
            ("email", "grace@example.com"),
            ("password", PASSWORD),
        ],
    ] {
        login(&service, form).await.expect(200);
    }
    let form = [("email", "a\0"), ("password", PASSWORD)];
    let invalid = login(&service, &form).await;
    assert_eq!(invalid.field_errors(), ["email nul"]);
}
