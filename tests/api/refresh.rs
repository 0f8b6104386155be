//! Refresh tokens, and what has expired.

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::harness::{
    Fixture, behaviours, column,
    service::{Answer, Service, User},
};

behaviours![
    two_refreshes_at_once_both_work,
    a_refresh_token_used_again_later_ends_the_session,
    what_is_no_refresh_token_is_refused,
    what_has_expired_is_cleaned_up,
];

pub async fn refresh(service: &Service, token: &str) -> Answer {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let request = service.request("POST", "/login").form(&form);
    Answer::of(request.send().await.expect("no answer")).await
}

/// `user` with the tokens of `grant`.
pub fn with(user: &User, grant: &Value) -> User {
    let text = |name: &str| grant[name].as_str().expect(name).to_owned();
    User {
        token: text("access_token"),
        refresh_token: text("refresh_token"),
        ..user.clone()
    }
}

async fn two_refreshes_at_once_both_work(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let (one, two) = tokio::join!(
        refresh(&service, &ada.refresh_token),
        refresh(&service, &ada.refresh_token)
    );
    let mut seen = vec![ada.clone()];
    for answer in [one.expect(200), two.expect(200)] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let tab = with(&ada, &answer.json());
        service.get("/users/me", &tab).await.expect(200);
        assert!(
            seen.iter()
                .all(|other| other.refresh_token != tab.refresh_token)
        );
        seen.push(tab);
    }
    // Each tab goes on with its own, and the first access token is good until it expires.
    for tab in &seen[1..] {
        refresh(&service, &tab.refresh_token).await.expect(200);
    }
    service.get("/users/me", &ada).await.expect(200);
    let listed = service.get("/sessions", &ada).await.expect(200).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

async fn a_refresh_token_used_again_later_ends_the_session(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let next = refresh(&service, &ada.refresh_token).await.expect(200);
    let next = with(&ada, &next.json());
    service.get("/users/me", &next).await.expect(200);
    // Eleven seconds later, as far as the service can tell.
    let earlier = "UPDATE refresh_tokens SET replaced_at = ";
    let earlier = if fixture.is_postgres() {
        format!("{earlier} replaced_at - interval '11 s' WHERE replaced_at IS NOT NULL")
    } else {
        format!(
            "{earlier} strftime('%Y-%m-%dT%H:%M:%fZ', replaced_at, '-11 seconds') \
             WHERE replaced_at IS NOT NULL"
        )
    };
    let connection = fixture.connect().await;
    connection
        .execute_unprepared(&earlier)
        .await
        .expect(&earlier);
    let stolen = refresh(&service, &ada.refresh_token).await;
    assert_eq!(stolen.problem(401)["error"], "invalid_grant");
    for user in [&ada, &next] {
        service.get("/users/me", user).await.problem(401);
    }
    refresh(&service, &next.refresh_token).await.problem(401);
    assert!(
        column(&connection, "SELECT id FROM sessions")
            .await
            .is_empty()
    );
    assert!(
        column(&connection, "SELECT hash FROM refresh_tokens")
            .await
            .is_empty()
    );
}

async fn what_is_no_refresh_token_is_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for token in ["x", &ada.token] {
        let refused = refresh(&service, &token[..token.len().min(128)]).await;
        let told = refused.problem(401);
        assert_eq!(told["error"], "invalid_grant");
        assert_eq!(told["detail"], "the refresh token is not valid");
    }
    let empty = json!({"grant_type": "refresh_token"});
    let missing = service.call("POST", "/login", None, Some(empty)).await;
    assert_eq!(missing.faults(), ["refresh_token required"]);
    // Nor is a refresh token an access token.
    let swapped = User {
        token: ada.refresh_token.clone(),
        ..ada.clone()
    };
    service.get("/users/me", &swapped).await.problem(401);
    let connection = fixture.connect().await;
    let kept = column(&connection, "SELECT hash FROM refresh_tokens").await;
    assert!(!kept.contains(&ada.refresh_token));
    let past = "UPDATE sessions SET expires_at = created_at";
    connection.execute_unprepared(past).await.expect(past);
    refresh(&service, &ada.refresh_token).await.problem(401);
}

async fn what_has_expired_is_cleaned_up(fixture: Fixture) {
    use acclaim::{db::Db, services::auth::cleanup::delete_expired};
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let new = json!({"name": "Short", "scopes": ["posts:read"], "expires_in": 1});
    service.post("/tokens", &ada, new).await.expect(201);
    let connection = fixture.connect().await;
    for past in [
        format!(
            "UPDATE sessions SET expires_at = created_at WHERE user_id = {}",
            ada.id
        ),
        "UPDATE tokens SET expires_at = created_at".to_owned(),
    ] {
        connection.execute_unprepared(&past).await.expect(&past);
    }
    let db = Db::open(&fixture.database())
        .await
        .expect("the database is away");
    let month = time::Duration::days(30);
    // The session, its refresh token, and the personal access token.
    assert_eq!(delete_expired(&db, month).await.unwrap(), 3);
    assert_eq!(delete_expired(&db, month).await.unwrap(), 0);
    let left = column(&connection, "SELECT user_id FROM sessions").await;
    assert_eq!(left, [grace.id.to_string()]);
    let left = column(&connection, "SELECT hash FROM refresh_tokens").await;
    assert_eq!(left.len(), 1);
}
