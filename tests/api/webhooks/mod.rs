//! `/webhooks`

mod access;
mod delivery;
mod failures;
mod log;
pub mod views;

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::harness::{
    Fixture, column,
    endpoint::Endpoint,
    service::{Service, User},
    wait_for,
};

/// The kinds of most tests.
const POSTS: &str = "post.*";

/// A webhook with its secret.
pub struct Webhook {
    pub id: i64,
    pub path: String,
    pub secret: String,
}

/// Creates a webhook of `user` to `endpoint`, with further members.
pub async fn create(
    service: &Service,
    user: &User,
    endpoint: &Endpoint,
    members: Value,
) -> Webhook {
    let mut body = json!({"url": endpoint.url});
    let object = body.as_object_mut().unwrap();
    object.extend(members.as_object().unwrap().clone());
    let created = service.post("/webhooks", user, body).await.expect(201);
    let webhook = created.json();
    Webhook {
        id: webhook["id"].as_i64().unwrap(),
        path: created.header("location").unwrap().to_owned(),
        secret: webhook["secret"].as_str().unwrap().to_owned(),
    }
}

/// The deliveries of `webhook`, newest first.
async fn deliveries(service: &Service, user: &User, webhook: &Webhook) -> Vec<Value> {
    let path = format!("{}/deliveries", webhook.path);
    let log = service.get(&path, user).await.expect(200).json();
    log.as_array().unwrap().clone()
}

/// Waits until the log has the delivery of each of `states`, oldest first.
async fn wait_for_states(fixture: &Fixture, states: &[&str]) {
    let sql = "SELECT state FROM webhook_deliveries ORDER BY webhook_id, position";
    wait_for(&fixture.connect().await, sql, states).await;
}

/// Waits until no server delivers: it would set its own times at the end.
async fn released(fixture: &Fixture) {
    let leased = "SELECT count(*) FROM webhooks WHERE lease IS NOT NULL";
    wait_for(&fixture.connect().await, leased, &["0"]).await;
}

/// Makes everything that waits for its time due now: the time of the pauses has passed.
async fn let_time_pass(fixture: &Fixture) {
    released(fixture).await;
    for due in [
        "UPDATE webhook_deliveries SET next_attempt_at = attempted_at WHERE next_attempt_at IS NOT NULL",
        "UPDATE webhooks SET paused_until = NULL, next_at = created_at WHERE next_at IS NOT NULL",
    ] {
        execute(fixture, due).await;
    }
}

/// Runs `sql`, and returns the number of its rows.
async fn execute(fixture: &Fixture, sql: &str) -> u64 {
    let connection = fixture.connect().await;
    let executed = connection.execute_unprepared(sql).await.expect(sql);
    executed.rows_affected()
}

/// The first column of the only row of `sql`.
async fn value(fixture: &Fixture, sql: &str) -> String {
    column(&fixture.connect().await, sql).await.remove(0)
}
