//! Moves between databases.

use acclaim::services::archive::TABLES;
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{export, imported};
use crate::{
    cli::as_owner,
    harness::{
        Fixture, Kind, apply, behaviour, column,
        endpoint::{Endpoint, Reply},
        postgres_behaviour,
        service::{PASSWORD, Service, User},
        wait_for,
    },
};

/// A post of `user`, who has a webhook. Its endpoint fails, so that a delivery waits to be tried again.
async fn post_with_failed_delivery(fixture: &Fixture, service: &Service, user: &User) -> i64 {
    let endpoint = Endpoint::start().await;
    endpoint.reply(vec![Reply::status(500); 10]);
    let webhook = json!({"url": endpoint.url, "kinds": "post.created"});
    service.post("/webhooks", user, webhook).await.expect(201);
    let post = service.new_post(user, "Last").await;
    let deliveries = "SELECT count(*) FROM webhook_deliveries";
    wait_for(&fixture.connect().await, deliveries, &["1"]).await;
    post
}

/// Data of every table, with gaps in the ids. The last post and the last user are deleted. Returns a
/// personal access token of ada, and the id of the deleted post.
async fn fill(fixture: &Fixture) -> (String, i64) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let grace = service.user("grace").await;
    let eve = service.user("eve").await;
    let post = async |user: &User, body| {
        let made = service.post("/posts", user, body).await.expect(201).json();
        made["id"].as_i64().expect("no id")
    };
    let delete = async |id: i64| {
        let path = format!("/posts/{id}");
        let answer = service.call("DELETE", &path, Some(&ada), None).await;
        answer.expect(204);
    };
    let gap = service.new_post(&ada, "Gap").await;
    let text = "ä ß Ω \u{1f600} \u{10ffff} \"quoted\" back\\slash\r\n\ttab \u{1} \u{7f} \u{2028} </script>";
    let body = json!({
        "title": text.trim(),
        "content": text,
        "tags": ["zebra", "apple"],
        "external_id": "ä/1",
        "metadata": {"b": 1.50, "a": [null, {"ä": true}]},
    });
    let first = post(&ada, body).await;
    let hidden = post(&eve, json!({"title": "Hidden", "content": "c"})).await;
    service.new_draft(&grace, "Draft").await;
    for (voter, id) in [(&ada, first), (&grace, first), (&grace, hidden)] {
        let vote = format!("/posts/{id}/vote");
        service
            .call("PUT", &vote, Some(voter), None)
            .await
            .expect(200);
    }
    let again = json!({"title": "Again", "content": "Changed"});
    let second = service.new_post(&ada, "Second").await;
    let keyed = service
        .request("POST", "/posts")
        .bearer_auth(&grace.token)
        .header("idempotency-key", "once")
        .json(&json!({"title": "Keyed", "content": "c"}));
    assert_eq!(keyed.send().await.expect("no answer").status(), 201);
    let path = format!("/posts/{second}");
    service
        .call("PUT", &path, Some(&ada), Some(again))
        .await
        .expect(200);
    let token = as_owner(
        fixture,
        &[
            "token",
            "create",
            "--user",
            "ada",
            "--scope",
            "posts:create",
            "--scope",
            "posts:read",
        ],
    )
    .await;
    for command in [["user", "suspend", "eve"], ["user", "promote", "grace"]] {
        assert_eq!(as_owner(fixture, &command).await.code, Some(0));
    }
    let last = post_with_failed_delivery(fixture, &service, &ada).await;
    let connection = fixture.connect().await;
    delete(gap).await;
    delete(last).await;
    let mallory = service.user("mallory").await;
    let confirmation = json!({"current_password": PASSWORD});
    let gone = service.call("DELETE", "/users/me", Some(&mallory), Some(confirmation));
    gone.await.expect(204);
    let users = "SELECT count(*) FROM users WHERE username = 'mallory'";
    wait_for(&connection, users, &["0"]).await;
    let imported = format!(
        "INSERT INTO imported_posts (owner_id, origin, original_id, post_id) VALUES ({}, 'origin', 7, {first})",
        ada.id
    );
    connection
        .execute_unprepared(&imported)
        .await
        .expect("not set");
    // Fractions of all lengths, and none.
    for (id, moment) in [
        (first, "2026-11-21T06:00:42.000001+00:00"),
        (hidden, "2026-11-21T06:00:42.5+00:00"),
        (second, "2026-11-21T06:00:42+00:00"),
    ] {
        let set = if fixture.is_postgres() {
            format!("UPDATE posts SET created_at = '{moment}' WHERE id = {id}")
        } else {
            let moment = moment.replace("+00:00", "Z");
            format!("UPDATE posts SET created_at = '{moment}' WHERE id = {id}")
        };
        connection.execute_unprepared(&set).await.expect("not set");
    }
    (token.stdout.trim().to_owned(), last)
}

/// What triggers derive.
async fn derived(fixture: &Fixture) -> Vec<String> {
    let connection = fixture.connect().await;
    let mut rows = Vec::new();
    for sql in [
        "SELECT post_id || ' ' || tag FROM post_tags ORDER BY post_id, tag",
        "SELECT post_id || ' ' || votes || ' ' || hot FROM ranks ORDER BY post_id",
        "SELECT id || ' ' || votes FROM posts ORDER BY id",
    ] {
        rows.extend(column(&connection, sql).await);
    }
    rows
}

#[apply(postgres_behaviour)]
async fn a_move_to_postgresql_and_back_keeps_everything(fixture: Fixture) {
    let (sqlite, back) = (
        Fixture::new(Kind::Sqlite).await,
        Fixture::new(Kind::Sqlite).await,
    );
    fill(&sqlite).await;
    let file = export(&sqlite, "a.ndjson").await;
    // Nothing is left out that could differ.
    for table in TABLES {
        assert!(
            file.contains(&format!("{{\"table\":\"{table}\",")),
            "{table}"
        );
    }
    for moment in ["42.000001Z", "42.500000Z", "42.000000Z"] {
        assert!(file.contains(moment), "{moment}");
    }
    assert!(
        !file.contains("\"sessions\"") && !file.contains("refresh"),
        "{file}"
    );
    fixture.migrate().await;
    back.migrate().await;
    imported(&fixture, &file).await;
    assert_eq!(export(&fixture, "b.ndjson").await, file);
    imported(&back, &file).await;
    assert_eq!(export(&back, "c.ndjson").await, file);
    let expected = derived(&sqlite).await;
    assert!(expected.len() >= 10, "{expected:?}");
    assert_eq!(derived(&fixture).await, expected);
    assert_eq!(derived(&back).await, expected);
    sqlite.end().await;
    back.end().await;
}

#[apply(behaviour)]
async fn an_imported_service_works(fixture: Fixture) {
    let source = Fixture::new(fixture.kind.clone()).await;
    let (token, last) = fill(&source).await;
    let file = export(&source, "a.ndjson").await;
    source.end().await;
    fixture.migrate().await;
    imported(&fixture, &file).await;
    let service: Service = fixture.serve().await;
    let ada = service.sign_in("ada", PASSWORD).await;
    let sensor = User {
        token,
        ..ada.clone()
    };
    let post = service.new_post(&sensor, "Marmalade").await;
    // The last id before the move was that of a deleted post.
    assert_eq!(post, last + 1);
    let votes = async |id: i64| {
        let post = service.get(&format!("/posts/{id}"), &ada).await.expect(200);
        post.json()["votes"].as_i64().expect("no votes")
    };
    let top = service
        .get("/posts?sort=top&limit=1", &ada)
        .await
        .expect(200)
        .json();
    let top = top[0]["id"].as_i64().expect("no post");
    assert_eq!(votes(top).await, 2);
    let vote = format!("/posts/{top}/vote");
    service
        .call("DELETE", &vote, Some(&ada), None)
        .await
        .expect(200);
    assert_eq!(votes(top).await, 1);
    for query in ["marmalade", "changed", "quoted"] {
        let found = service
            .get(&format!("/posts?search={query}"), &ada)
            .await
            .expect(200);
        assert_eq!(found.json().as_array().map(Vec::len), Some(1), "{query}");
    }
    let tagged = service
        .get("/posts?tag=zebra", &ada)
        .await
        .expect(200)
        .json();
    assert_eq!(tagged[0]["tags"], json!(["zebra", "apple"]));
    // A new user does not get the id of a deleted one.
    assert_eq!(service.user("new").await.id, 5);
}
