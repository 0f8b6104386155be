//! `acclaim user` and `acclaim token`.

use serde_json::json;

use crate::{
    harness::{
        Fixture, apply, behaviour,
        process::run_with,
        service::{PASSWORD, User},
    },
    staff::acclaim,
};

#[apply(behaviour)]
async fn an_operator_makes_the_first_admin(fixture: Fixture) {
    let service = fixture.serve().await;
    let create = [
        "user",
        "create",
        "--username",
        "Root",
        "--email",
        "root@example.com",
        "--role",
        "admin",
    ];
    let url = [("DATABASE_URL", fixture.url.as_str())];
    let typed = format!("{PASSWORD}\n");
    let made = run_with(fixture.folder(), &create, &url, &typed).await;
    assert_eq!(
        (made.code, made.stdout.as_str()),
        (Some(0), "1 root admin\n"),
        "{}",
        made.stderr
    );
    let root = service.sign_in("root", PASSWORD).await;
    service.get("/audit-log", &root).await.expect(200);
    service.user("eve").await;
    let suspended = acclaim(&fixture, &["user", "suspend", "eve", "--reason", "why"]).await;
    assert_eq!(
        suspended.stdout, "2 eve user suspended\n",
        "{}",
        suspended.stderr
    );
    let listed = acclaim(&fixture, &["user", "list"]).await;
    assert_eq!(listed.stdout, "1 root admin\n2 eve user suspended\n");
    let restored = acclaim(&fixture, &["user", "restore", "eve@example.com"]).await;
    assert_eq!(restored.stdout, "2 eve user\n");
    let create = create.map(|word| if word == "Root" { "other" } else { word });
    let again = run_with(fixture.folder(), &create, &url, &typed).await;
    assert_eq!(
        (again.code, again.stderr.as_str()),
        (Some(2), "acclaim: the email is taken\n")
    );
    let nobody = acclaim(&fixture, &["user", "promote", "nobody"]).await;
    assert_eq!(
        (nobody.code, nobody.stderr.as_str()),
        (Some(2), "acclaim: there is no user nobody\n")
    );
}

#[apply(behaviour)]
async fn an_operator_makes_a_token_that_can_insert_and_nothing_else(fixture: Fixture) {
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
    let id = service.new_post(&sensor, "21.5 degrees").await;
    service
        .get(&format!("/posts/{id}"), &sensor)
        .await
        .problem(403);
    let listed = service.get("/tokens", &ada).await.expect(200);
    assert!(!listed.text.contains("acl_"));
    let listed = listed.json();
    assert_eq!(listed[0]["name"], "Sensor");
    assert!(listed[0]["last_used_at"].is_string() && listed[0]["expires_at"].is_string());
    for bad in [&token[..39], &format!("{}0", &token[..39]), "acl_", "acl_ä"] {
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
