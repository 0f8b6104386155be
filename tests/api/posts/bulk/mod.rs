//! Bulk writes of posts.

mod change;
mod create;
mod limits;
mod races;
mod texts;

use serde_json::{Value, json};

use crate::harness::service::{Answer, Service, User};

/// Sends `rows` with the members of `options`.
async fn send(
    service: &Service,
    user: &User,
    method: &str,
    rows: &Value,
    options: Value,
) -> Answer {
    let mut body = options;
    body["posts"] = rows.clone();
    let path = "/posts/bulk";
    service.call(method, path, Some(user), Some(body)).await
}

/// `count` rows with external ids.
fn rows(count: usize, title: &str) -> Value {
    let row = |number| {
        json!({
            "title": format!("{title} {number}"),
            "content": "Words.",
            "tags": ["bulk"],
            "external_id": format!("key {number}"),
            "metadata": {"number": number},
        })
    };
    (0..count).map(row).collect()
}

/// The numbers of rows: created, updated, unchanged, ignored, deleted, failed.
fn counts(result: &Value) -> [u64; 6] {
    let names = [
        "created",
        "updated",
        "unchanged",
        "ignored",
        "deleted",
        "failed",
    ];
    names.map(|name| result[name].as_u64().expect(name))
}

/// The outcomes of the rows, and for a failed one its problem type.
fn outcomes(result: &Value) -> Vec<String> {
    let rows = result["posts"]
        .as_array()
        .expect("no rows")
        .iter()
        .enumerate();
    rows.map(|(index, row)| {
        assert_eq!(row["index"], index);
        let problem = row["problem"]["type"].as_str();
        problem
            .or(row["outcome"].as_str())
            .expect("no outcome")
            .to_owned()
    })
    .collect()
}

fn field_errors(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().expect("no errors").iter();
    errors
        .map(|error| {
            format!(
                "{} {}",
                error["field"].as_str().unwrap(),
                error["code"].as_str().unwrap()
            )
        })
        .collect()
}
