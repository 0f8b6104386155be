//! Refused imports, and those that end early.

use acclaim::{
    config::{Origins, QuotaSettings},
    services::quotas::Quotas,
};
use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{PATH, USER, begin, counts, expected, export_of, import, posts};
use crate::harness::{Fixture, apply, behaviour, column, service::Answer, wait_for};

#[apply(behaviour)]
async fn imports_are_limited_in_all(fixture: Fixture) {
    let service = fixture.serve().await;
    let body = export_of(&posts(200), &[]);
    let connection = fixture.connect().await;
    let ada = service.user("ada").await;
    let mut users = Vec::new();
    for number in 1..=4 {
        users.push(service.user(&format!("user-{number}")).await);
    }
    let mut running = Vec::new();
    for (number, user) in (1..).zip(&users) {
        let length = body.len() + 1;
        running.push(begin(&service, user, &body, length).await);
        let count = (200 * number).to_string();
        wait_for(&connection, "SELECT count(*) FROM posts", &[&*count]).await;
    }
    let refused = import(&service, &ada, &export_of(&[], &[]))
        .await
        .problem(503);
    assert_eq!(refused["detail"], "too many imports at once");
}

#[apply(behaviour)]
async fn an_import_ends_at_the_quota_and_continues_later(fixture: Fixture) {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.quotas = Quotas::new(QuotaSettings {
        posts: Some(300),
        bytes: None,
    });
    let service = fixture.start(state, Origins::These(Vec::new()));
    let ada = service.user("ada").await;
    let export = export_of(&posts(350), &[]);
    for _ in 0..2 {
        let problem = import(&service, &ada, &export).await.problem(409);
        assert_eq!(problem["type"], "/problems/quota-exceeded");
        assert!(problem["detail"].as_str().unwrap().contains("quota is 300"));
    }
    let more = service.get("/posts?count=exact&limit=1", &ada).await;
    assert_eq!(more.header("x-total-count"), Some("200"));
    let fits = export_of(&posts(300), &[]);
    let done = import(&service, &ada, &fits).await.expect(200).json();
    assert_eq!(counts(&done), expected([100, 200, 0], [0; 4]));
}

#[apply(behaviour)]
async fn a_body_that_is_no_export_is_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let complete = export_of(&posts(201), &[]);
    for (body, detail) in [
        ("", "at line 1 column 0"),
        ("{\"a\": 1,\n}", "at line 2 column 1"),
        (
            &*complete.replace("Post 201", "\\x"),
            "imported so far: 200; send",
        ),
        (complete.trim_end_matches('}'), "imported so far: 1; send"),
    ] {
        let problem = import(&service, &ada, body).await.problem(400);
        let text = problem["detail"].as_str().unwrap();
        assert!(text.contains(detail), "{text}");
    }
    let user = USER;
    let row = "x".repeat(1024 * 1024);
    for (body, error) in [
        ("[]".to_owned(), " type"),
        ("{}".to_owned(), "user required"),
        ("{\"posts\": [{}]}".to_owned(), "user required"),
        (json!({"user": []}).to_string(), "user type"),
        (
            json!({"user": {"id": 1}}).to_string(),
            "created_at required",
        ),
        (format!("{{\"user\": {user}, \"posts\": {{}}}}"), " type"),
        (
            format!("{{\"user\": {user}, \"votes\": [{{}}], \"posts\": [{{}}]}}"),
            "posts mismatch",
        ),
        (
            format!("{{\"user\": {user}, \"posts\": [\"{row}\"]}}"),
            " length",
        ),
        (
            format!("{{\"user\": {user}, \"new\": [1, \"{row}\"]}}"),
            " length",
        ),
    ] {
        let answer = import(&service, &ada, &body).await;
        assert_eq!(answer.field_errors(), [error], "{body:.99}");
    }
    let later = format!(
        "{{\"user\": {user}, \"new\": [{{\"a\": {}}}, \"{}\"], \"other\": {{\"a\": [1.5, null, true, -1]}}}}",
        "[".repeat(1_000) + &"]".repeat(1_000),
        &row[..1_000_000],
    );
    import(&service, &ada, &later).await.expect(200);

    let mut oversized = begin(&service, &ada, "", 256 * 1024 * 1024 + 1).await;
    let mut answer = [0; 12];
    oversized.read_exact(&mut answer).await.expect("no answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
    let request = service.request("POST", PATH).bearer_auth(&ada.token);
    Answer::of(request.body("{}").send().await.unwrap())
        .await
        .problem(415);
}

/// An import can take long, so each of its transactions checks the account.
#[apply(behaviour)]
async fn a_suspension_ends_an_import(fixture: Fixture) {
    let suspend = "UPDATE users SET suspended_at = created_at";
    ends_an_import(fixture, suspend).await;
}

#[apply(behaviour)]
async fn the_end_of_its_session_ends_an_import(fixture: Fixture) {
    ends_an_import(fixture, "DELETE FROM sessions").await;
}

async fn ends_an_import(fixture: Fixture, statement: &str) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let body = export_of(&posts(401), &[]);
    let connection = fixture.connect().await;
    let half = body.find("\"id\":201,").expect("no post") + 100;
    let mut running = begin(&service, &ada, &body[..half], body.len()).await;
    wait_for(&connection, "SELECT count(*) FROM posts", &["200"]).await;
    let executed = connection.execute_unprepared(statement).await;
    executed.expect(statement);
    running
        .write_all(&body.as_bytes()[half..])
        .await
        .expect("not sent");
    let mut answer = [0; 12];
    running.read_exact(&mut answer).await.expect("no answer");
    assert_eq!(&answer, b"HTTP/1.1 401");
    assert_eq!(
        column(&connection, "SELECT count(*) FROM posts").await,
        ["200"]
    );
}
