//! Sessions: sign-out, the list, and ending them.

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::{
    auth::refresh::{refuses_refresh, with_tokens},
    harness::{
        Fixture, apply, behaviour, column, postgres_behaviour,
        process::Running,
        service::{Answer, PASSWORD, User},
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
    refuses_refresh(&service, &ada).await;
    service
        .call("POST", "/logout", Some(&ada), None)
        .await
        .problem(401);
    service.get("/users/me", &other).await.expect(200);
}

/// Only one server may use a SQLite file.
#[apply(postgres_behaviour)]
async fn a_session_ended_on_another_server_stops_within_five_seconds(fixture: Fixture) {
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

/// Adds `count` sessions of `user`, an hour to `count` hours old. Their user agents number them.
async fn add_old_sessions(fixture: &Fixture, user: &User, count: usize) {
    let (series, time) = if fixture.is_postgres() {
        (
            format!("SELECT generate_series(1, {count}) AS n"),
            "created_at - n * interval '1 hour'",
        )
    } else {
        (
            format!(
                "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})
                 SELECT n FROM s"
            ),
            // Without trailing zeros, as the service stores times.
            "rtrim(rtrim(strftime('%Y-%m-%dT%H:%M:%f', created_at, '-' || n || ' hours'), '0'), '.') \
             || 'Z'",
        )
    };
    let insert = format!(
        "INSERT INTO sessions (id, user_id, user_agent, created_at, last_used_at, expires_at)
         SELECT n, user_id, 'Old ' || n, {time}, {time}, expires_at
         FROM sessions, ({series}) AS numbers WHERE user_id = {}",
        user.id
    );
    let connection = fixture.connect().await;
    connection.execute_unprepared(&insert).await.expect(&insert);
}

#[apply(behaviour)]
async fn a_sign_in_ends_the_least_recently_used_of_a_hundred_sessions(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    add_old_sessions(&fixture, &ada, 99).await;
    let connection = fixture.connect().await;
    let oldest = "SELECT max(id) FROM sessions WHERE id < 100";
    assert_eq!(column(&connection, oldest).await, ["99"]);
    let count = format!("SELECT count(*) FROM sessions WHERE user_id = {}", ada.id);
    for rest in ["98", "97"] {
        service.sign_in("ada", PASSWORD).await;
        assert_eq!(column(&connection, oldest).await, [rest]);
        assert_eq!(column(&connection, &count).await, ["100"]);
    }
    // The session of the last request is not the least recently used one.
    for user in [&ada, &grace] {
        service.get("/users/me", user).await.expect(200);
    }
}

#[apply(behaviour)]
async fn sessions_are_listed_in_pages(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    add_old_sessions(&fixture, &ada, 6).await;
    let page = async |path: &str| {
        let answer = service.get(path, &ada).await.expect(200);
        let sessions = answer.json();
        let sessions = sessions.as_array().unwrap().iter();
        let agent = |session: &Value| session["user_agent"].as_str().unwrap().to_owned();
        let link = |relation: &str| {
            let mut links = answer.header("link").unwrap_or_default().split(", ");
            let end = format!("; rel=\"{relation}\"");
            let link = links.find_map(|link| link.strip_suffix(&end))?;
            Some(link.trim_matches(['<', '>']).to_owned())
        };
        let agents: Vec<_> = sessions.map(agent).collect();
        (agents, link("next"), link("prev"))
    };
    let (first, next, prev) = page("/sessions?limit=3").await;
    assert_eq!(
        (first, prev),
        (vec![String::new(), "Old 1".into(), "Old 2".into()], None)
    );
    let (second, next, prev) = page(&next.unwrap()).await;
    assert_eq!(second, ["Old 3", "Old 4", "Old 5"]);
    let (last, none, _) = page(&next.unwrap()).await;
    assert_eq!((last, none), (vec!["Old 6".to_owned()], None));
    let (first, ..) = page(&prev.unwrap()).await;
    assert_eq!(first, ["", "Old 1", "Old 2"]);
    let (all, next, prev) = page("/sessions").await;
    assert_eq!((all.len(), next, prev), (7, None, None));
    let invalid = service.get("/sessions?limit=101&cursor=x", &ada).await;
    assert_eq!(invalid.field_errors(), ["cursor format", "limit range"]);
}
