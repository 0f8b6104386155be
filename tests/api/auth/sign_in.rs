//! Sign-in.

use reqwest::multipart::Form;
use serde_json::json;

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, PASSWORD, User},
};

#[apply(behaviour)]
async fn forms_multipart_forms_and_json_can_sign_in(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for name in ["ada", " ADA@example.com "] {
        let login = || service.request("POST", "/login");
        let form = [
            ("username", name),
            ("password", PASSWORD),
            ("grant_type", "password"),
        ];
        let multipart = Form::new()
            .text("username", name.to_owned())
            .text("password", PASSWORD);
        let json = json!({"username": name, "password": PASSWORD});
        for request in [
            login().form(&form),
            login().multipart(multipart),
            login().json(&json),
        ] {
            let answer = Answer::of(request.send().await.unwrap()).await.expect(200);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let grant = answer.json();
            assert_eq!(grant["token_type"], "bearer");
            assert_eq!(grant["expires_in"], 3600);
            let token = grant["access_token"].as_str().unwrap().to_owned();
            let me = service
                .get(
                    "/users/me",
                    &User {
                        token,
                        ..ada.clone()
                    },
                )
                .await;
            assert_eq!(me.expect(200).json()["id"], ada.id);
        }
    }
}

#[apply(behaviour)]
async fn an_unknown_user_and_a_wrong_password_get_the_same_answer(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let mut problems = Vec::new();
    for (name, password) in [
        ("ada", "wrong password"),
        ("nobody", PASSWORD),
        ("no@body.org", " "),
    ] {
        let body = json!({"username": name, "password": password});
        let answer = service.call("POST", "/login", None, Some(body)).await;
        let mut problem = answer.problem(401);
        assert_eq!(problem["error"], "invalid_grant");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        problem["instance"] = json!(null);
        problems.push(problem);
    }
    assert!(problems[0] == problems[1] && problems[1] == problems[2]);
}

#[apply(behaviour)]
async fn invalid_fields_of_a_sign_in_are_reported(fixture: Fixture) {
    let service = fixture.serve().await;
    let long = "p".repeat(129);
    for (form, errors) in [
        (vec![], vec!["password required", "username required"]),
        (
            vec![("username", "a"), ("password", &long)],
            vec!["password length"],
        ),
        (
            vec![("username", "a\0"), ("password", "p")],
            vec!["username nul"],
        ),
        (
            vec![("username", "a"), ("username", "b"), ("password", "p")],
            vec!["username duplicate"],
        ),
    ] {
        let request = service.request("POST", "/login").form(&form);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.field_errors(), errors);
        assert!(!answer.text.contains(&long));
    }
    // An empty member counts as missing (RFC 6749, section 3.2).
    for (name, password, errors) in [
        ("", "", &["password required", "username required"][..]),
        ("ada", "", &["password required"]),
        ("", PASSWORD, &["username required"]),
    ] {
        let form = [
            ("username", name),
            ("password", password),
            ("grant_type", ""),
        ];
        let multipart = Form::new()
            .text("username", name)
            .text("password", password);
        let json = json!({"username": name, "password": password});
        let login = || service.request("POST", "/login");
        for request in [
            login().form(&form),
            login().multipart(multipart),
            login().json(&json),
        ] {
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!(answer.field_errors(), errors);
        }
    }
    let request = service
        .request("POST", "/login")
        .header("content-type", "text/plain");
    Answer::of(request.body("a").send().await.unwrap())
        .await
        .problem(415);
}

/// Swagger UI adds an empty `Authorization: Basic` header and empty client fields.
#[apply(behaviour)]
async fn swagger_ui_can_sign_in(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let form = [
        ("grant_type", "password"),
        ("username", "ada@example.com"),
        ("password", PASSWORD),
        ("scope", ""),
        ("client_id", ""),
        ("client_secret", ""),
    ];
    let request = service.request("POST", "/login").form(&form);
    let request = request.header("authorization", "Basic Og==");
    Answer::of(request.send().await.unwrap()).await.expect(200);
}
