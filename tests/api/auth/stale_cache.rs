//! Cached sessions and users that another process has changed.

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::{
    auth::refresh::with_tokens,
    cli::acclaim,
    harness::{
        Fixture, apply, behaviour,
        service::{PASSWORD, Service, User},
    },
};

async fn admin(fixture: &Fixture, service: &Service, name: &str) -> User {
    service.user(name).await;
    let promoted = acclaim(fixture, &["user", "promote", name]).await;
    assert_eq!(promoted.code, Some(0), "{}", promoted.stderr);
    let admin = service.sign_in(name, PASSWORD).await;
    // Fills the cache.
    service.get("/audit-log", &admin).await.expect(200);
    admin
}

#[apply(behaviour)]
async fn a_suspended_admin_cannot_moderate(fixture: Fixture) {
    let service = fixture.serve().await;
    let evil = admin(&fixture, &service, "evil").await;
    let eve = service.user("eve").await;
    let post = service.new_post(&eve, "Eve's").await;
    // The job that follows the event log would end the cached session.
    fixture.stop_jobs().await;
    let suspend = format!(
        "UPDATE users SET suspended_at = created_at WHERE id = {}",
        evil.id
    );
    let connection = fixture.connect().await;
    connection
        .execute_unprepared(&suspend)
        .await
        .expect(&suspend);
    let suspension = |id: i64| format!("/users/{id}/suspension");
    let call = async |method: &str, path: String| {
        let body = (method == "PUT").then(|| json!({}));
        service.call(method, &path, Some(&evil), body).await
    };
    call("DELETE", suspension(evil.id)).await.problem(409);
    call("DELETE", suspension(eve.id)).await.problem(403);
    call("PUT", suspension(eve.id)).await.problem(403);
    call("DELETE", format!("/posts/{post}")).await.problem(403);
    service
        .get(&format!("/posts/{post}"), &eve)
        .await
        .expect(200);
}

#[apply(behaviour)]
async fn an_ended_session_cannot_create_a_token(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    service.get("/users/me", &ada).await.expect(200);
    fixture.stop_jobs().await;
    let connection = fixture.connect().await;
    let end = "DELETE FROM sessions";
    connection.execute_unprepared(end).await.expect(end);
    let new = json!({"name": "Bot", "scopes": ["account"]});
    service.post("/tokens", &ada, new).await.problem(401);
}

#[apply(behaviour)]
async fn sign_ins_with_the_old_password_do_not_survive_its_change(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let body = json!({"password": "battery staple", "current_password": PASSWORD});
    let change = service.call("PATCH", "/users/me", Some(&ada), Some(body));
    let old = json!({"username": "ada", "password": PASSWORD});
    let tries = (0..24).map(|_| service.call("POST", "/login", None, Some(old.clone())));
    let (change, answers) = tokio::join!(change, futures_util::future::join_all(tries));
    let new = with_tokens(&ada, &change.expect(200).json()["tokens"]);
    for answer in answers {
        if answer.status == 200 {
            let token = answer.json()["access_token"].as_str().unwrap().to_owned();
            let user = User {
                token,
                ..ada.clone()
            };
            service.get("/users/me", &user).await.problem(401);
        } else {
            answer.problem(401);
        }
    }
    service.get("/users/me", &new).await.expect(200);
}
