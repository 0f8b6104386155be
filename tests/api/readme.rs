//! The curl commands of the README.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::process::Command;

use crate::harness::{Fixture, apply, behaviour};

/// Separates the answers of two commands.
const MARK: &str = "--- end of the answer ---";

#[apply(behaviour)]
async fn the_readme_tour_prints_the_documented_answers(fixture: Fixture) {
    let readme = include_str!("../../README.md");
    let service = fixture.serve().await;
    let mut script = String::new();
    let mut expected: Vec<String> = Vec::new();
    let blocks = readme.split("```console\n").skip(1);
    for line in blocks.flat_map(|block| block.split("```").next().unwrap().lines()) {
        if let Some(command) = line.strip_prefix("$ ") {
            script += &command.replace("http://127.0.0.1:8000", &service.base);
            script += "\necho '";
            script += MARK;
            script += "'\n";
            expected.push(String::new());
        } else {
            *expected.last_mut().unwrap() += line;
        }
    }
    assert!(
        expected.len() > 8,
        "the README has only {} commands",
        expected.len()
    );
    let output = Command::new("bash").args(["-c", &script]).output();
    let output = output.await.expect("bash did not start");
    let output = String::from_utf8(output.stdout).expect("not UTF-8");
    let answers: Vec<&str> = output.split(MARK).map(str::trim).collect();
    assert_eq!(answers.len(), expected.len() + 1, "{output}");
    for (answer, expected) in answers.iter().zip(&expected) {
        assert_eq!(with_placeholders(answer), with_placeholders(expected));
    }
}

/// `text` with placeholders for dates, tokens and request ids, which differ in every run.
fn with_placeholders(text: &str) -> String {
    let parts = text.split('"').map(|part| {
        if OffsetDateTime::parse(part, &Rfc3339).is_ok() {
            "MOMENT"
        } else if uuid::Uuid::parse_str(part).is_ok() {
            "REQUEST ID"
        } else if part.starts_with("eyJ")
            || part.len() == 43 && part.chars().all(char::is_alphanumeric)
        {
            "TOKEN"
        } else {
            part
        }
    });
    parts.collect::<Vec<_>>().join("\"")
}
