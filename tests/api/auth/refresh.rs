//! Refresh tokens and the clean-up of expired rows.

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};

use crate::harness::{
    Fixture, apply, behaviour, column, postgres_behaviour,
    service::{Answer, Service, User},
};

pub async fn refresh(service: &Service, token: &str) -> Answer {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let request = service.request("POST", "/login").form(&form);
    Answer::of(request.send().await.expect("no answer")).await
}

/// Asserts that the refresh token of `user` is not accepted.
pub async fn refuses_refresh(service: &Service, user: &User) {
    let answer = refresh(service, &user.refresh_token).await;
    assert_eq!(answer.oauth_error(), "invalid_grant");
}

/// `user` with the tokens of `grant`.
pub fn with_tokens(user: &User, grant: &Value) -> User {
    let text = |name: &str| grant[name].as_str().expect(name).to_owned();
    User {
        token: text("access_token"),
        refresh_token: text("refresh_token"),
        ..user.clone()
    }
}

#[apply(behaviour)]
async fn concurrent_refreshes_both_succeed(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let (one, two) = tokio::join!(
        refresh(&service, &ada.refresh_token),
        refresh(&service, &ada.refresh_token)
    );
    let mut seen = vec![ada.clone()];
    for answer in [one.expect(200), two.expect(200)] {
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let tab = with_tokens(&ada, &answer.json());
        service.get("/users/me", &tab).await.expect(200);
        assert!(
            seen.iter()
                .all(|other| other.refresh_token != tab.refresh_token)
        );
        seen.push(tab);
    }
    let listed = service.get("/sessions", &ada).await.expect(200).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    // The tabs continue with one of the tokens, as often as they like.
    let mut tab = seen[1].clone();
    for _ in 0..2 {
        let next = refresh(&service, &tab.refresh_token).await.expect(200);
        tab = with_tokens(&ada, &next.json());
    }
    // The first access token remains valid until it expires.
    service.get("/users/me", &ada).await.expect(200);
}

#[apply(behaviour)]
async fn using_both_tokens_that_were_issued_for_one_ends_the_session(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let exchange = async |user: &User| {
        let next = refresh(&service, &user.refresh_token).await.expect(200);
        with_tokens(&ada, &next.json())
    };
    let (hers, stolen) = (exchange(&ada).await, exchange(&ada).await);
    let hers = exchange(&exchange(&hers).await).await;
    let refused = refresh(&service, &stolen.refresh_token).await;
    assert_eq!(refused.oauth_error(), "invalid_grant");
    for user in [&ada, &hers, &stolen] {
        service.get("/users/me", user).await.problem(401);
        refuses_refresh(&service, user).await;
    }
}

/// The end of a session locks the session and then its refresh tokens. A refresh that locked them in
/// another order would deadlock with it.
/// SQLite has no locks of rows.
#[apply(postgres_behaviour)]
async fn a_refresh_locks_the_session_before_its_tokens(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let end = fixture.connect().await.begin().await.unwrap();
    let lock = "SELECT id FROM sessions FOR UPDATE";
    end.execute_unprepared(lock).await.expect(lock);
    let mut refreshed = std::pin::pin!(refresh(&service, &ada.refresh_token));
    let early = tokio::time::timeout(std::time::Duration::from_secs(1), &mut refreshed).await;
    assert!(early.is_err(), "the refresh did not wait");
    for sql in [
        // Shorter than the time after which PostgreSQL looks for deadlocks.
        "SET LOCAL lock_timeout = '500ms'",
        "DELETE FROM refresh_tokens",
        "DELETE FROM sessions",
    ] {
        end.execute_unprepared(sql).await.expect(sql);
    }
    end.commit().await.unwrap();
    assert_eq!(refreshed.await.oauth_error(), "invalid_grant");
}

#[apply(behaviour)]
async fn reusing_an_old_refresh_token_ends_the_session(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let next = refresh(&service, &ada.refresh_token).await.expect(200);
    let next = with_tokens(&ada, &next.json());
    service.get("/users/me", &next).await.expect(200);
    // Move the rotation 11 seconds into the past, beyond the grace period of 10 seconds.
    let update = "UPDATE refresh_tokens SET replaced_at = ";
    let update = if fixture.is_postgres() {
        format!("{update} replaced_at - interval '11 s' WHERE replaced_at IS NOT NULL")
    } else {
        format!(
            "{update} strftime('%Y-%m-%dT%H:%M:%fZ', replaced_at, '-11 seconds') \
             WHERE replaced_at IS NOT NULL"
        )
    };
    let connection = fixture.connect().await;
    connection.execute_unprepared(&update).await.expect(&update);
    let stolen = refresh(&service, &ada.refresh_token).await;
    assert_eq!(stolen.oauth_error(), "invalid_grant");
    for user in [&ada, &next] {
        service.get("/users/me", user).await.problem(401);
    }
    refuses_refresh(&service, &next).await;
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

#[apply(behaviour)]
async fn invalid_refresh_tokens_are_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for token in ["x", &ada.token] {
        let refused = refresh(&service, &token[..token.len().min(128)]).await;
        assert_eq!(refused.oauth_error(), "invalid_grant");
        let error = refused.json();
        assert_eq!(error["error_description"], "the refresh token is not valid");
        assert_eq!(error["error_uri"], "/problems/invalid-refresh-token");
    }
    let empty = json!({"grant_type": "refresh_token"});
    let missing = service.call("POST", "/login", None, Some(empty)).await;
    assert_eq!(missing.oauth_error(), "invalid_request");
    // A refresh token must not pass as an access token.
    let swapped = User {
        token: ada.refresh_token.clone(),
        ..ada.clone()
    };
    service.get("/users/me", &swapped).await.problem(401);
    let connection = fixture.connect().await;
    let stored = column(&connection, "SELECT hash FROM refresh_tokens").await;
    assert!(!stored.contains(&ada.refresh_token));
    let past = "UPDATE sessions SET expires_at = created_at";
    connection.execute_unprepared(past).await.expect(past);
    refuses_refresh(&service, &ada).await;
}

#[apply(behaviour)]
async fn expired_sessions_and_tokens_are_deleted(fixture: Fixture) {
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
        .expect("cannot open the database");
    let month = time::Duration::days(30);
    // Deletes the session, its refresh token and the personal access token.
    let round = || {
        let round = delete_expired(&db, month);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(round))
    };
    assert_eq!(round().unwrap(), 3);
    assert_eq!(round().unwrap(), 0);
    let left = column(&connection, "SELECT user_id FROM sessions").await;
    assert_eq!(left, [grace.id.to_string()]);
    let left = column(&connection, "SELECT hash FROM refresh_tokens").await;
    assert_eq!(left.len(), 1);
}
