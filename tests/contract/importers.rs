//! Programs that import the document as a collection of requests.

use std::path::Path;

use serde_json::Value;

use crate::{
    harness::{Fixture, apply, behaviour},
    tools::{document, succeeds, tool},
};

/// What a user does: chooses an environment, fills in the fields, and copies the token and the id.
#[apply(behaviour)]
async fn bruno_signs_up_signs_in_posts_and_votes(fixture: Fixture) {
    let service = fixture.serve().await;
    let mut import = tool("bru", fixture.folder());
    import
        .args(["import", "openapi", "--collection-name", "Acclaim"])
        .args(["--output", ".", "--source"])
        .arg(document());
    succeeds(&mut import).await;
    let folder = fixture.folder().join("Acclaim");
    let environments = folder.join("environments");
    let local = environments.join(format!("{LOCAL}.yml"));
    let local = std::fs::read_to_string(local).expect("no environment");
    assert!(local.contains("value: http://127.0.0.1:8000\n"), "{local}");

    let [email, password] = ["ada@example.com", "correct horse"];
    let sign_up = "users/Sign up.yml";
    let members = [
        ("email", email),
        ("password", password),
        ("username", "ada"),
    ];
    for (name, value) in members {
        fill(&folder, sign_up, &member(name, ""), &member(name, value));
    }
    let sign_in = "sign-in/Sign in, or refresh a session.yml";
    for (name, value) in [("username", email), ("password", password)] {
        fill(&folder, sign_in, &field(name, ""), &field(name, value));
    }
    let run = Run {
        folder: &folder,
        base: &service.base,
    };
    run.request(sign_up, "", 201).await;
    let tokens = run.request(sign_in, "", 200).await;
    let token = tokens["access_token"].as_str().expect("no token");

    let create = "posts/Create a post or a draft.yml";
    let post = run.request(create, token, 201).await;
    let vote = "votes/Add or remove a vote.yml";
    let id = format!("\"post_id\": {}", post["id"]);
    fill(&folder, vote, "\"post_id\": 0", &id);
    assert_eq!(run.request(vote, token, 201).await["votes"], 1);
    let posts = run.request("posts/List posts.yml", token, 200).await;
    assert_eq!(posts[0]["voted"], true);
}

/// The environment with an address.
const LOCAL: &str = "A server on this machine, with default settings";

/// A member of a JSON body.
fn member(name: &str, value: &str) -> String {
    format!("\"{name}\": \"{value}\"")
}

/// A field of a form.
fn field(name: &str, value: &str) -> String {
    format!("- name: {name}\n        value: \"{value}\"")
}

/// Replaces `empty` by `filled` in the request of `file`, which stands before its examples.
fn fill(folder: &Path, file: &str, empty: &str, filled: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).expect("no request");
    let (request, examples) = text.split_once("\nexamples:").expect(&text);
    assert!(request.contains(empty), "no {empty} in {request}");
    let request = request.replacen(empty, filled, 1);
    std::fs::write(path, format!("{request}\nexamples:{examples}")).expect("not written");
}

struct Run<'a> {
    folder: &'a Path,
    base: &'a str,
}

impl Run<'_> {
    /// Sends the request of `file` and returns the body of the response.
    async fn request(&self, file: &str, token: &str, status: u16) -> Value {
        let report = self.folder.join("report.json");
        let mut bruno = tool("bru", self.folder);
        bruno
            .args(["run", file, "--env", LOCAL, "--reporter-json"])
            .arg(&report)
            .args(["--env-var", &format!("baseUrl={}", self.base)])
            .args(["--env-var", &format!("token={token}")]);
        let printed = succeeds(&mut bruno).await;
        let report = std::fs::read(&report).expect("no report");
        let report: Value = serde_json::from_slice(&report).expect("not JSON");
        let response = &report[0]["results"][0]["response"];
        assert_eq!(response["status"], status, "{printed}\n{response}");
        response["data"].clone()
    }
}
