//! Sign-up and user profiles.

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::harness::{Fixture, apply, behaviour, service::PASSWORD};

#[apply(behaviour)]
async fn sign_up_returns_the_user(fixture: Fixture) {
    let service = fixture.serve().await;
    let body = json!({"email": "ada@example.com", "username": "ada", "password": PASSWORD, "x": 1});
    let answer = service
        .call("POST", "/users", None, Some(body))
        .await
        .expect(201);
    let user = answer.json();
    assert_eq!(
        answer.header("location"),
        Some(format!("/users/{}", user["id"]).as_str())
    );
    assert_eq!(user["email"], "ada@example.com");
    assert_eq!(user["username"], "ada");
    assert!(
        user["created_at"].as_str().unwrap().ends_with('Z'),
        "{user}"
    );
    assert_eq!(user["role"], "user");
    assert_eq!(user.as_object().unwrap().len(), 5, "{user}");
}

#[apply(behaviour)]
async fn emails_and_usernames_are_normalised(fixture: Fixture) {
    let service = fixture.serve().await;
    let body = json!({"email": " Ada@Example.COM ", "username": "Ada", "password": PASSWORD});
    let user = service
        .call("POST", "/users", None, Some(body))
        .await
        .expect(201)
        .json();
    assert_eq!(
        (user["email"].as_str(), user["username"].as_str()),
        (Some("ada@example.com"), Some("ada"))
    );
    let body = json!({"email": "ADA@example.com", "password": PASSWORD});
    let again = service.call("POST", "/users", None, Some(body)).await;
    assert_eq!(again.problem(409)["detail"], "the email is taken");
}

#[apply(behaviour)]
async fn a_missing_username_is_generated(fixture: Fixture) {
    let service = fixture.serve().await;
    let mut names = Vec::new();
    for email in ["ada@example.com", "ada@example.org"] {
        let body = json!({"email": email, "password": PASSWORD});
        let user = service
            .call("POST", "/users", None, Some(body))
            .await
            .expect(201)
            .json();
        let name = user["username"].as_str().unwrap().to_owned();
        assert!(name.starts_with("user-") && !name.contains("ada"), "{name}");
        names.push(name);
    }
    assert_ne!(names[0], names[1]);
}

#[apply(behaviour)]
async fn taken_emails_and_usernames_conflict(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    for (email, username, detail) in [
        ("ada@example.com", "bob", "the email is taken"),
        ("bob@example.com", "ada", "the username is taken"),
    ] {
        let body = json!({"email": email, "username": username, "password": PASSWORD});
        let answer = service.call("POST", "/users", None, Some(body)).await;
        assert_eq!(answer.problem(409)["detail"], detail);
    }
}

#[apply(behaviour)]
async fn every_invalid_field_of_a_sign_up_is_reported(fixture: Fixture) {
    let service = fixture.serve().await;
    for (body, errors) in [
        (json!({}), vec!["email required", "password required"]),
        (
            json!({"email": 1, "password": 12_345_678}),
            vec!["email type", "password type"],
        ),
        (
            json!({"email": "no", "username": "a b", "password": "short"}),
            vec!["email format", "password length", "username format"],
        ),
        (
            json!({"email": null, "username": "ab", "password": "with\u{0}nul"}),
            vec!["email type", "password nul", "username length"],
        ),
        (json!([]), vec![" type"]),
    ] {
        let answer = service.call("POST", "/users", None, Some(body)).await;
        assert_eq!(answer.field_errors(), errors);
        for secret in ["12345678", "short", "with"] {
            assert!(!answer.text.contains(secret), "{}", answer.text);
        }
    }
    assert_eq!(
        service
            .get("/users/1", &service.user("ada").await)
            .await
            .status,
        200
    );
}

#[apply(behaviour)]
async fn length_limits_of_a_sign_up_are_enforced(fixture: Fixture) {
    let service = fixture.serve().await;
    let long = |local: usize| format!("{}@{}.example.com", "a".repeat(local), "b".repeat(63));
    for (email, username, password, status) in [
        (
            "a@b.co".to_owned(),
            "abc".to_owned(),
            "é".repeat(4) + "ñàöü",
            201,
        ),
        (long(60), "a_-9".repeat(7) + "xy", "é".repeat(128), 201),
        ("c@b.co".to_owned(), "x".repeat(31), "p".repeat(8), 422),
        (
            "d@b.co".to_owned(),
            "ok-name".to_owned(),
            "p".repeat(129),
            422,
        ),
        (
            format!("{}@example.com", "a".repeat(250)),
            "name".to_owned(),
            "p".repeat(8),
            422,
        ),
    ] {
        let body = json!({"email": email, "username": username, "password": password});
        service
            .call("POST", "/users", None, Some(body))
            .await
            .expect(status);
    }
}

#[apply(behaviour)]
async fn only_the_owner_sees_an_email_address(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let path = format!("/users/{}", ada.id);
    let own = service.get(&path, &ada).await.expect(200);
    assert_eq!(own.json()["email"], "ada@example.com");
    assert_eq!(own.header("cache-control"), Some("no-store"));
    let mut me = service.get("/users/me", &ada).await.expect(200).json();
    for member in ["usage", "quota"] {
        assert!(me.as_object_mut().unwrap().remove(member).is_some());
    }
    assert_eq!(me, own.json());
    let others = service.get(&path, &bob).await.expect(200).json();
    assert_eq!(others["username"], "ada");
    assert_eq!(others.get("email"), None);
    let anonymous = service
        .call("GET", &path, None, None)
        .await
        .expect(200)
        .json();
    assert_eq!(anonymous, others);
}

#[apply(behaviour)]
async fn unknown_users_are_not_found(fixture: Fixture) {
    let service = fixture.serve().await;
    let answer = service.call("GET", "/users/42", None, None).await;
    assert_eq!(answer.problem(404)["detail"], "user 42 does not exist");
    for id in ["abc", "0", "-1", "1.5", "9223372036854775808", "%00"] {
        let answer = service
            .call("GET", &format!("/users/{id}"), None, None)
            .await;
        assert_eq!(answer.field_errors(), ["id type"]);
    }
}

#[apply(behaviour)]
async fn common_passwords_and_own_names_are_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let sign_up = async |password: &str| {
        let body = json!({"email": "Ada.Byron@example.com", "username": "enchantress", "password": password});
        service.call("POST", "/users", None, Some(body)).await
    };
    for password in [
        "password1",
        "12345678",
        "qwertyuiop",
        "iloveyou",
        "aaaaaaaa",
        "P@ssw0rd",
        "ada.byron@EXAMPLE.com",
        "Ada.Byron",
        "Enchantress",
    ] {
        let answer = sign_up(password).await;
        assert_eq!(answer.field_errors(), ["password common"], "{password}");
        assert!(!answer.text.contains(password), "{}", answer.text);
    }
    // Other errors of the request are reported too.
    for (email, username, other) in [
        ("bad", json!("correcthorse1"), "email format"),
        ("correcthorse1@example.com", json!("x"), "username length"),
        ("correcthorse1@example.com", json!(1), "username type"),
    ] {
        let body = json!({"email": email, "username": username, "password": "correcthorse1"});
        let answer = service.call("POST", "/users", None, Some(body)).await;
        let mut expected = [other, "password common"];
        expected.sort_unstable();
        assert_eq!(answer.field_errors(), expected);
    }
    // Weak but accepted. The last is the slowest to estimate: each of its 128 characters has two
    // readings.
    for password in ["ada lovelace", "the quick", &"4@8({[<369&#!1|0".repeat(8)] {
        let body =
            json!({"email": format!("{}@example.com", password.len()), "password": password});
        let answer = service.call("POST", "/users", None, Some(body)).await;
        answer.expect(201);
    }
}

#[apply(behaviour)]
async fn reserved_usernames_cannot_be_chosen(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for name in ["operator", "Admin", "root"] {
        let new = json!({"email": "bob@example.com", "username": name, "password": PASSWORD});
        let refused = service.call("POST", "/users", None, Some(new)).await;
        assert_eq!(refused.field_errors(), ["username reserved"]);
        let rename = json!({"username": name});
        let refused = service
            .call("PATCH", "/users/me", Some(&ada), Some(rename))
            .await;
        assert_eq!(refused.field_errors(), ["username reserved"]);
    }
}

#[apply(behaviour)]
async fn a_username_that_became_reserved_may_stay(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let reserve = "UPDATE users SET username = 'admin'";
    let connection = fixture.connect().await;
    connection.execute_unprepared(reserve).await.unwrap();
    for (name, status) in [("admin", 200), ("Admin", 200), ("root", 422)] {
        let rename = json!({"username": name});
        let answer = service.call("PATCH", "/users/me", Some(&ada), Some(rename));
        answer.await.expect(status);
    }
}
