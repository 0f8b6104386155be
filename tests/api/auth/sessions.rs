//! Sessions: sign-out, the list, and ending them.

use serde_json::json;

use crate::{
    auth::refresh::{refresh, with_tokens},
    harness::{
        Fixture, apply, behaviour,
        process::Running,
        service::{Answer, PASSWORD},
    },
};

#[apply(behaviour)]
async fn a_session_ends_at_once_on_the_server_that_ends_it(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let other = service.sign_in("ada", PASSWORD).await;
    service.get("/users/me", &ada).await.expect(200);
    service
        .call("POST", "/logout", Some(&ada), None)
        .await
        .expect(204);
    for _ in 0..20 {
        service.get("/users/me", &ada).await.problem(401);
    }
    let refused = refresh(&service, &ada.refresh_token).await;
    assert_eq!(refused.problem(401)["error"], "invalid_grant");
    service
        .call("POST", "/logout", Some(&ada), None)
        .await
        .problem(401);
    service.get("/users/me", &other).await.expect(200);
}

#[apply(behaviour)]
async fn a_session_ended_on_another_server_stops_within_five_seconds(fixture: Fixture) {
    // Only one server may use a SQLite file.
    if !fixture.is_postgres() {
        return;
    }
    fixture.migrate().await;
    let secret = ("JWT_SECRET", "a secret of the tests that two servers share");
    let settings = [("DATABASE_URL", fixture.url.as_str()), secret];
    let (one, two) = tokio::join!(
        Running::start(fixture.folder(), &settings),
        Running::start(fixture.folder(), &settings)
    );
    let ada = one.service.user("ada").await;
    two.service.get("/users/me", &ada).await.expect(200);
    one.service
        .call("POST", "/logout", Some(&ada), None)
        .await
        .expect(204);
    let ended = tokio::time::Instant::now();
    one.service.get("/users/me", &ada).await.problem(401);
    while two.service.get("/users/me", &ada).await.status == 200 {
        assert!(ended.elapsed().as_secs() < 5, "the session is still valid");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for running in [one, two] {
        running.signal("TERM");
        running.end().await;
    }
}

#[apply(behaviour)]
async fn users_list_and_end_their_own_sessions(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let form = [("username", "ada"), ("password", PASSWORD)];
    let phone = service
        .request("POST", "/login")
        .header("user-agent", "A phone")
        .form(&form);
    let phone = Answer::of(phone.send().await.unwrap()).await.expect(200);
    let phone = with_tokens(&ada, &phone.json());
    let listed = service.get("/sessions", &ada).await.expect(200);
    assert_eq!(listed.header("cache-control"), Some("no-store"));
    let listed = listed.json();
    let sessions: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|session| (session["user_agent"].as_str().unwrap(), &session["current"]))
        .collect();
    assert_eq!(sessions, [("A phone", &json!(false)), ("", &json!(true))]);
    let path = format!("/sessions/{}", listed[0]["id"]);
    service
        .call("DELETE", &path, Some(&grace), None)
        .await
        .problem(404);
    service.get("/users/me", &phone).await.expect(200);
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .expect(204);
    service.get("/users/me", &phone).await.problem(401);
    service
        .call("DELETE", &path, Some(&ada), None)
        .await
        .problem(404);
    let tablet = service.sign_in("ada", PASSWORD).await;
    service
        .call("DELETE", "/sessions", Some(&ada), None)
        .await
        .expect(204);
    for user in [&ada, &tablet] {
        service.get("/users/me", user).await.problem(401);
    }
    service.get("/users/me", &grace).await.expect(200);
}
