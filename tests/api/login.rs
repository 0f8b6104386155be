//! Sign-in.

use std::time::{Duration, Instant};

use acclaim::config::Origins;
use reqwest::multipart::Form;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{
    Fixture, apply, behaviour, column,
    service::{Answer, PASSWORD, User},
};

#[apply(behaviour)]
async fn a_form_a_multipart_form_and_json_sign_in(fixture: Fixture) {
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
async fn an_unknown_user_and_a_wrong_password_are_told_the_same(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let mut told = Vec::new();
    for (name, password) in [
        ("ada", "wrong password"),
        ("nobody", PASSWORD),
        ("no@body.org", ""),
    ] {
        let body = json!({"username": name, "password": password});
        let answer = service.call("POST", "/login", None, Some(body)).await;
        let mut problem = answer.problem(401);
        assert_eq!(problem["error"], "invalid_grant");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        problem["instance"] = json!(null);
        told.push(problem);
    }
    assert!(told[0] == told[1] && told[1] == told[2]);
}

#[apply(behaviour)]
async fn faults_of_a_sign_in_are_named(fixture: Fixture) {
    let service = fixture.serve().await;
    let long = "p".repeat(129);
    for (form, faults) in [
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
        (
            vec![("username", "a"), ("password", "p"), ("grant_type", "x")],
            vec!["grant_type unknown_value"],
        ),
    ] {
        let request = service.request("POST", "/login").form(&form);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.faults(), faults);
        assert!(!answer.text.contains(&long));
    }
    let request = service
        .request("POST", "/login")
        .header("content-type", "text/plain");
    Answer::of(request.body("a").send().await.unwrap())
        .await
        .problem(415);
}

/// It sends an empty Basic authorisation and empty client members along.
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
    ];
    let request = service.request("POST", "/login").form(&form);
    let request = request.header("authorization", "Basic Og==");
    Answer::of(request.send().await.unwrap()).await.expect(200);
}

async fn set_hash(connection: &DatabaseConnection, hash: &str) {
    let sql = format!("UPDATE users SET password_hash = '{hash}'");
    connection.execute_unprepared(&sql).await.expect(&sql);
}

async fn hash(connection: &DatabaseConnection) -> String {
    column(connection, "SELECT password_hash FROM users").await[0].clone()
}

/// Each is of the tests' password: less memory, fewer passes, another variant, an older version.
const OUTDATED: [&str; 4] = [
    "$argon2id$v=19$m=8192,t=2,p=1$SZiH1mY78dzWhqyNxkgIXQ$RwGZ7kk9xvd3W5oU/0Iqod8eYrs5WRcs2uXBc6DIgHk",
    "$argon2id$v=19$m=19456,t=1,p=1$kPMwMQdV0Ie+lKSpxkahwg$3jBbn77zG7+GK0Iu7medFWd1unoVoYwMBVHDnwEHdsU",
    "$argon2i$v=19$m=19456,t=2,p=1$Url1bUOE4fJD+rBN4V39vg$pD6tEodpuyeJJzMs8MFfWdm5mPYf8Pl+qo9tFvoMHIU",
    "$argon2id$v=16$m=19456,t=2,p=1$Pnoh6F+GRSlvz1VUM4n4tA$FFdMp4P/Dqh9jVsWhsxZhy6xOQp4ekdGqzS4+gHkEF4",
];
/// The same, of higher parameters than today's.
const HIGHER: &str = "$argon2id$v=19$m=32768,t=2,p=2$3snveSss1cVKmQrS7kUD3w$EPcY9BdsgkVPPj//4caGh3LjIORVuLiBSf/WRmPDHdM";

#[apply(behaviour)]
async fn a_hash_of_lower_parameters_is_replaced(fixture: Fixture) {
    let service = fixture.serve().await;
    service.user("ada").await;
    let connection = fixture.connect().await;
    let login = async |password: &str, status| {
        let body = json!({"username": "ada", "password": password});
        let answer = service.call("POST", "/login", None, Some(body)).await;
        answer.expect(status);
    };
    for old in OUTDATED {
        set_hash(&connection, old).await;
        login("wrong password", 401).await;
        assert_eq!(hash(&connection).await, old);
        login(PASSWORD, 200).await;
        let deadline = Instant::now() + Duration::from_secs(20);
        while hash(&connection).await == old {
            assert!(Instant::now() < deadline, "{old} was not replaced");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let new = hash(&connection).await;
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        login("wrong password", 401).await;
        login(PASSWORD, 200).await;
        assert_eq!(hash(&connection).await, new);
    }
    set_hash(&connection, HIGHER).await;
    login(PASSWORD, 200).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(hash(&connection).await, HIGHER);
}

#[apply(behaviour)]
async fn a_password_that_was_changed_meanwhile_stays(fixture: Fixture) {
    fixture.migrate().await;
    let state = fixture.state(&fixture.database()).await;
    let passwords = state.passwords.clone();
    let service = fixture.start(state, Origins::These(Vec::new()));
    service.user("ada").await;
    let connection = fixture.connect().await;
    set_hash(&connection, OUTDATED[0]).await;
    // Thirty that always wait: what is hashed anew waits behind them, and the change comes first.
    let mut waiting = JoinSet::new();
    for _ in 0..30 {
        let passwords = passwords.clone();
        waiting.spawn(async move { while passwords.hash(PASSWORD.into()).await.is_ok() {} });
    }
    let body = json!({"username": "ada", "password": PASSWORD});
    let answer = service.call("POST", "/login", None, Some(body)).await;
    set_hash(&connection, HIGHER).await;
    answer.expect(200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    waiting.shutdown().await;
    assert_eq!(hash(&connection).await, HIGHER);
}
