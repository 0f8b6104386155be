//! `acclaim token`

use serde_json::json;

use super::acclaim;
use crate::harness::{Fixture, apply, behaviour, column, service::User};

#[apply(behaviour)]
async fn an_operator_creates_a_token_with_one_scope(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let create = [
        "token",
        "create",
        "--user",
        "ada",
        "--scope",
        "posts:create",
        "--expires",
        "30d",
        "--name",
        "Sensor",
    ];
    let made = acclaim(&fixture, &create).await;
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
    let token = made.stdout.trim().to_owned();
    assert!(token.starts_with("acl_") && token.len() == 40, "{token}");
    let sensor = User {
        token: token.clone(),
        ..ada.clone()
    };
    let log = column(
        &fixture.connect().await,
        "SELECT actor || ' ' || action || ' ' || subject || ' ' || reason FROM audit_log",
    )
    .await;
    assert_eq!(log, ["operator create_token ada Sensor: posts:create"]);
    let id = service.new_post(&sensor, "21.5 degrees").await;
    service
        .get(&format!("/posts/{id}"), &sensor)
        .await
        .problem(403);
    let listed = service.get("/tokens", &ada).await.expect(200);
    assert!(!listed.text.contains("acl_"));
    let listed = listed.json();
    assert_eq!(listed[0]["name"], "Sensor");
    assert!(listed[0]["expires_at"].is_string());
    let other_end = if token.ends_with('0') { '1' } else { '0' };
    let altered = format!("{}{other_end}", &token[..39]);
    for bad in [&token[..39], &altered, "acl_", "acl_ä"] {
        let user = User {
            token: bad.to_owned(),
            ..ada.clone()
        };
        let answer = service
            .request("GET", "/users/me")
            .header("authorization", format!("Bearer {}", user.token).as_bytes());
        let status = answer.send().await.unwrap().status().as_u16();
        assert!(
            status == 401 || (status == 400 && bad.contains('ä')),
            "{bad}: {status}"
        );
    }
    let path = format!("/tokens/{}", listed[0]["id"]);
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    let body = json!({"title": "t", "content": "c"});
    service.post("/posts", &sensor, body).await.problem(401);
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .problem(404);
    let wrong = acclaim(
        &fixture,
        &["token", "create", "--user", "ada", "--scope", "magic"],
    )
    .await;
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("posts:create"), "{}", wrong.stderr);
}
