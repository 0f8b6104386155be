//! `/stats`, `/tags` and the statistics of posts and users

mod access;
mod counts;
mod days;
mod rebuild;
mod servers;
mod tags;

use acclaim::{
    db::Db,
    services::statistics::{Backlog, fold},
};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};

use crate::harness::{
    Fixture,
    service::{Service, User},
};

async fn execute(connection: &DatabaseConnection, sql: &str) {
    connection.execute_unprepared(sql).await.expect(sql);
}

/// A published post with these tags.
async fn tagged(service: &Service, user: &User, tags: &[&str]) -> i64 {
    let body = json!({"title": "Title", "content": "Words.", "tags": tags});
    let post = service.post("/posts", user, body).await.expect(201).json();
    post["id"].as_i64().expect("no id")
}

async fn vote(service: &Service, user: &User, post: i64) {
    let path = format!("/posts/{post}/vote");
    let vote = service.call("PUT", &path, Some(user), None);
    vote.await.expect(200);
}

async fn take_back(service: &Service, user: &User, post: i64) {
    let path = format!("/posts/{post}/vote");
    let vote = service.call("DELETE", &path, Some(user), None);
    vote.await.expect(200);
}

async fn patch(service: &Service, user: &User, post: i64, body: Value) {
    let path = format!("/posts/{post}");
    let change = service.call("PATCH", &path, Some(user), Some(body));
    change.await.expect(200);
}

/// The members `names` of the answer at `path`.
async fn members<const N: usize>(
    service: &Service,
    user: &User,
    path: &str,
    names: [&str; N],
) -> [Value; N] {
    let answer = service.get(path, user).await.expect(200).json();
    names.map(|name| answer[name].clone())
}

/// Suspends user `id`, or restores them, past the service.
async fn suspend(connection: &DatabaseConnection, id: i64, is_suspended: bool) {
    let to = if is_suspended {
        "'2026-11-21T06:00:42Z'"
    } else {
        "NULL"
    };
    execute(
        connection,
        &format!("UPDATE users SET suspended_at = {to} WHERE id = {id}"),
    )
    .await;
}

/// Takes steps until there is nothing to do. The job must not run.
async fn fold_all(fixture: &Fixture) -> usize {
    let db = Db::open(&fixture.database()).await.expect("not opened");
    let mut steps = 0;
    while fold(&db).await.expect("not folded").backlog != Backlog::Empty {
        steps += 1;
    }
    steps
}
