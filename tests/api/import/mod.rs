//! Imports of a user's export.

mod limits;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::harness::{
    Fixture, apply, behaviour, column,
    service::{Answer, Service, User},
    wait_for,
};

const PATH: &str = "/users/me/import";

async fn import(service: &Service, user: &User, export: &str) -> Answer {
    let request = service.request("POST", PATH).bearer_auth(&user.token);
    let request = request.header("content-type", "application/json");
    let sent = request.body(export.to_owned()).send().await;
    Answer::of(sent.expect("no answer")).await
}

/// The text of an export. Its members have an order, which `Value` loses.
async fn export(service: &Service, user: &User) -> String {
    service.get("/users/me/export", user).await.expect(200).text
}

async fn parsed_export(service: &Service, user: &User) -> Value {
    serde_json::from_str(&export(service, user).await).expect("not JSON")
}

/// A post of an export of another service.
fn post(id: usize) -> Value {
    json!({
        "id": id,
        "title": format!("Post {id}"),
        "content": "Words.",
        "published": true,
        "created_at": "2024-02-29T12:00:00Z",
        "updated_at": "2024-03-01T12:00:00.5Z",
    })
}

const USER: &str = r#"{"id": 7, "created_at": "2024-01-01T00:00:00.000001Z", "username": "ada"}"#;

fn export_of(posts: &[Value], votes: &[Value]) -> String {
    let (posts, votes) = (json!(posts), json!(votes));
    format!(r#"{{"user": {USER}, "posts": {posts}, "votes": {votes}, "sessions": []}}"#)
}

fn posts(count: usize) -> Vec<Value> {
    (1..=count).map(post).collect()
}

fn counts(answer: &Value) -> Value {
    json!([answer["posts"], answer["votes"]])
}

/// What [`counts`] returns.
fn expected(posts: [u64; 3], votes: [u64; 4]) -> Value {
    json!([
        {"created": posts[0], "unchanged": posts[1], "failed": posts[2]},
        {"created": votes[0], "unchanged": votes[1], "skipped": votes[2], "failed": votes[3]},
    ])
}

/// The items of `list` without the members that differ between services.
fn comparable(export: &Value, list: &str) -> Vec<Value> {
    let mut items = export[list].as_array().expect("no array").clone();
    for item in &mut items {
        let item = item.as_object_mut().expect("no object");
        for name in ["id", "post_id", "votes"] {
            item.remove(name);
        }
    }
    items
}

/// Sends the first bytes of an import, and keeps the connection open.
async fn begin(service: &Service, user: &User, body: &str, length: usize) -> TcpStream {
    let address = service.base.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.expect("no connection");
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
        user.token
    );
    connection
        .write_all(head.as_bytes())
        .await
        .expect("not sent");
    connection
}

#[apply(behaviour)]
async fn an_export_is_equal_after_a_move_to_another_service(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let mut ids = Vec::new();
    for body in [
        json!({"title": "First", "content": "ä\"\\\n\u{1f600}", "tags": ["b", "a"]}),
        json!({"title": "Draft", "content": "d", "published": false, "external_id": "e 1"}),
        json!({"title": "Data", "content": "c", "external_id": "e 2", "metadata": {"b": 1.50, "a": [null]}}),
    ] {
        let made = service.post("/posts", &ada, body).await.expect(201).json();
        ids.push(made["id"].as_i64().expect("no id"));
    }
    let path = format!("/posts/{}", ids[0]);
    let change = json!({"title": "Changed"});
    let changed = service.call("PATCH", &path, Some(&ada), Some(change)).await;
    assert_eq!(changed.expect(200).json()["version"], 2);
    let other = service.new_post(&grace, "Of another user").await;
    for (user, id) in [
        (&ada, ids[0]),
        (&ada, ids[1]),
        (&ada, other),
        (&grace, ids[0]),
    ] {
        let voted = service
            .call("PUT", &format!("/posts/{id}/vote"), Some(user), None)
            .await;
        assert!(voted.status < 300, "{}", voted.text);
    }
    let text = export(&service, &ada).await;
    let original: Value = serde_json::from_str(&text).expect("not JSON");

    let second = Fixture::new(fixture.kind.clone()).await;
    let service = second.serve().await;
    let eve = service.user("eve").await;
    service.new_post(&eve, "Here first").await;
    let lovelace = service.user("lovelace").await;
    let done = import(&service, &lovelace, &text).await.expect(200).json();
    assert_eq!(counts(&done), expected([3, 0, 0], [2, 0, 1, 0]));
    assert_eq!(done["errors"], json!([]));
    let copy = parsed_export(&service, &lovelace).await;
    assert_eq!(comparable(&copy, "posts"), comparable(&original, "posts"));
    assert_eq!(
        comparable(&copy, "votes"),
        comparable(&original, "votes")[..2]
    );
    assert_eq!(copy["posts"][0]["version"], 2);
    assert_eq!(
        [&copy["posts"][0]["votes"], &copy["posts"][1]["votes"]],
        [1, 1]
    );
    assert_eq!(copy["user"]["username"], "lovelace");
    // Others see them as any other post.
    let found = service
        .get("/posts?search=changed&tag=a", &eve)
        .await
        .expect(200)
        .json();
    assert_eq!(found[0]["id"], copy["posts"][0]["id"], "{found}");

    let again = import(&service, &lovelace, &text).await.expect(200).json();
    assert_eq!(counts(&again), expected([0, 3, 0], [0, 2, 1, 0]));
    assert_eq!(
        parsed_export(&service, &lovelace).await["posts"],
        copy["posts"]
    );
    // The same ids of another account are other posts.
    let created_at = original["user"]["created_at"].as_str().expect("no time");
    let others = text.replacen(created_at, "2024-01-01T00:00:00Z", 1);
    let done = import(&service, &lovelace, &others)
        .await
        .expect(200)
        .json();
    assert_eq!(counts(&done), expected([1, 0, 2], [1, 0, 2, 0]));
    // Deleted posts come back.
    let id = copy["posts"][0]["id"].as_i64().expect("no id");
    let deleted = service
        .call("DELETE", &format!("/posts/{id}"), Some(&lovelace), None)
        .await;
    deleted.expect(204);
    let done = import(&service, &lovelace, &text).await.expect(200).json();
    assert_eq!(counts(&done), expected([1, 2, 0], [1, 1, 1, 0]));
    second.end().await;
}

#[apply(behaviour)]
async fn an_export_restores_deleted_posts_of_its_own_account(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let first = service.new_post(&ada, "First").await;
    service.new_post(&ada, "Second").await;
    let original = export(&service, &ada).await;
    let deleted = service
        .call("DELETE", &format!("/posts/{first}"), Some(&ada), None)
        .await;
    deleted.expect(204);
    for (created, unchanged) in [(1, 1), (0, 2)] {
        let done = import(&service, &ada, &original).await.expect(200).json();
        assert_eq!(counts(&done), expected([created, unchanged, 0], [0; 4]));
    }
}

#[apply(behaviour)]
async fn an_interrupted_import_continues_and_is_the_only_one_of_its_user(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let export = export_of(&posts(450), &[]);
    let connection = fixture.connect().await;
    // The third part is incomplete.
    let end = export.find("\"id\":441,").expect("no post");
    let interrupted = begin(&service, &ada, &export[..end], export.len()).await;
    wait_for(&connection, "SELECT count(*) FROM posts", &["400"]).await;
    let second = import(&service, &ada, &export).await.problem(429);
    let detail = "an import into this account is in progress; try again when it has ended";
    assert_eq!(second["detail"], detail);
    let other = import(&service, &grace, &export_of(&posts(1), &[])).await;
    assert_eq!(
        counts(&other.expect(200).json()),
        expected([1, 0, 0], [0; 4])
    );

    drop(interrupted);
    let done = loop {
        let answer = import(&service, &ada, &export).await;
        if answer.status != 429 {
            break answer.expect(200).json();
        }
    };
    assert_eq!(counts(&done), expected([50, 400, 0], [0; 4]));
    let titles = format!(
        "SELECT title FROM posts WHERE owner_id = {} ORDER BY id",
        ada.id
    );
    let all: Vec<String> = (1..=450).map(|id| format!("Post {id}")).collect();
    assert_eq!(column(&connection, &titles).await, all);
}

#[apply(behaviour)]
async fn rows_fail_by_themselves(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let body = json!({"title": "t", "content": "c", "external_id": "taken"});
    let taken = service.post("/posts", &ada, body).await.expect(201).json();
    let mut rows = posts(9);
    rows[1]["external_id"] = json!("taken");
    rows[2]["title"] = json!(" ");
    rows[2]["version"] = json!(0);
    // The clock of its service was set back.
    rows[3]["updated_at"] = json!("2024-02-29T11:59:59Z");
    rows[4]["created_at"] = json!("9999-01-01T00:00:00Z");
    rows[5]["external_id"] = json!("new");
    rows[6]["external_id"] = json!("new");
    rows[7] = json!([]);
    rows[8]["id"] = json!(1);
    let votes = [
        json!({"post_id": 1, "created_at": "2024-03-01T00:00:00Z"}),
        json!({"post_id": 1, "created_at": "2024-03-02T00:00:00Z"}),
        json!({"post_id": 2, "created_at": "2024-03-02T00:00:00Z"}),
        json!({"post_id": 1}),
    ];
    let done = import(&service, &ada, &export_of(&rows, &votes))
        .await
        .expect(200)
        .json();
    assert_eq!(counts(&done), expected([3, 1, 5], [1, 1, 1, 1]));
    let errors = done["errors"]
        .as_array()
        .expect("no errors")
        .iter()
        .map(|error| {
            let fields = error["problem"]["errors"]
                .as_array()
                .expect("no fields")
                .iter();
            let fields: Vec<_> = fields
                .map(|field| field["field"].as_str().unwrap())
                .collect();
            format!(
                "{} {} {fields:?}",
                error["row"].as_str().unwrap(),
                error["problem"]["type"]
            )
        });
    let errors: Vec<String> = errors.collect();
    let invalid = "\"/problems/unprocessable-content\"";
    let conflict = "\"/problems/external-id-taken\"";
    let expected = [
        format!("posts[2] {invalid} [\"title\", \"version\"]"),
        format!("posts[4] {invalid} [\"created_at\"]"),
        format!("posts[7] {invalid} [\"\"]"),
        format!("posts[1] {conflict} [\"external_id\"]"),
        format!("posts[6] {conflict} [\"external_id\"]"),
        format!("votes[3] {invalid} [\"created_at\"]"),
    ];
    assert_eq!(errors, expected);
    let detail = format!("your post {} has this external_id", taken["id"]);
    assert_eq!(done["errors"][3]["problem"]["detail"], detail);
}
