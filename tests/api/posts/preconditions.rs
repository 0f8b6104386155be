//! Changes of posts with `If-Match` and `If-None-Match`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Answer, PASSWORD, Service, User},
};

/// Sends a change with the precondition `name: value`.
async fn change(
    service: &Service,
    user: &User,
    (method, path): (&str, &str),
    (name, value): (&str, &str),
) -> Answer {
    let request = service.request(method, path).bearer_auth(&user.token);
    let request = request.header(name, value);
    let request = match method {
        "DELETE" => request,
        _ => request.json(&json!({"title": "Changed", "content": "Changed"})),
    };
    Answer::of(request.send().await.expect("no answer")).await
}

#[apply(behaviour)]
async fn a_change_of_an_old_version_fails(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let path = format!("/posts/{}", service.new_post(&ada, "Title").await);
    let first = service
        .get(&path, &ada)
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    change(&service, &ada, ("PATCH", &path), ("If-Match", &first))
        .await
        .expect(200);
    let before = service.get(&path, &ada).await.expect(200);
    for method in ["PUT", "PATCH", "DELETE"] {
        let failed = change(&service, &ada, (method, &path), ("If-Match", &first)).await;
        let problem = failed.problem(412);
        assert_eq!(problem["type"], "/problems/precondition-failed");
        assert_eq!(problem["current_version"], 2);
        let current = before.header("etag").unwrap();
        let failed = change(&service, &ada, (method, &path), ("If-None-Match", current)).await;
        failed.problem(412);
    }
    assert_eq!(service.get(&path, &ada).await.text, before.text);
    let tags = format!("{first}, W/{}", before.header("etag").unwrap());
    change(&service, &ada, ("PUT", &path), ("If-Match", &tags))
        .await
        .expect(200);
    change(&service, &ada, ("PUT", &path), ("If-None-Match", &tags))
        .await
        .expect(200);
    change(&service, &ada, ("DELETE", &path), ("If-Match", "*"))
        .await
        .expect(204);
    change(&service, &ada, ("DELETE", &path), ("If-Match", "*"))
        .await
        .problem(404);
}

#[apply(behaviour)]
async fn a_vote_does_not_make_a_change_fail(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let path = format!("/posts/{}", service.new_post(&ada, "Title").await);
    let before = service
        .get(&path, &ada)
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    let vote = format!("{path}/vote");
    service
        .call("PUT", &vote, Some(&bob), None)
        .await
        .expect(200);
    let after = service
        .get(&path, &ada)
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    assert_ne!(before, after);
    change(&service, &ada, ("PUT", &path), ("If-Match", &before))
        .await
        .expect(200);
}

#[apply(behaviour)]
async fn the_tag_of_another_resource_matches_no_post(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let mut paths = Vec::new();
    for title in ["one", "two"] {
        paths.push(format!("/posts/{}", service.new_post(&ada, title).await));
    }
    let other = service
        .get(&paths[1], &ada)
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    let list = service
        .get("/posts", &ada)
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    let tag = |text: &str| format!("\"{text}\"");
    for tags in [
        // The first two name the current version, but not as the service does.
        tag("1-01-x"),
        tag("1-+2-x"),
        other,
        list,
        tag("x"),
        tag("1-1"),
        tag("1-x-x"),
        tag(""),
    ] {
        change(&service, &ada, ("PUT", &paths[0]), ("If-Match", &tags))
            .await
            .problem(412);
        change(&service, &ada, ("PUT", &paths[0]), ("If-None-Match", &tags))
            .await
            .expect(200);
    }
}

#[apply(behaviour)]
async fn a_malformed_precondition_is_400(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let path = format!("/posts/{}", service.new_post(&ada, "Title").await);
    for name in ["If-Match", "If-None-Match"] {
        for value in [
            "",
            "x",
            "1-1-x",
            ",",
            "\u{e4}",
            "*, *",
            "\"x\", *",
            "\"x\", 1-1-x",
            "\"x\" \"y\"",
        ] {
            for method in ["PUT", "PATCH", "DELETE"] {
                let answer = change(&service, &ada, (method, &path), (name, value)).await;
                let detail = answer.problem(400)["detail"].clone();
                assert!(
                    detail.as_str().unwrap().contains(&name.to_lowercase()),
                    "{detail}"
                );
            }
        }
    }
    assert_eq!(service.get(&path, &ada).await.json()["version"], 1);
}

#[apply(behaviour)]
async fn a_precondition_does_not_reveal_what_others_cannot_see(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let draft = format!("/posts/{}", service.new_draft(&ada, "Draft").await);
    let post = format!("/posts/{}", service.new_post(&ada, "Title").await);
    for method in ["PUT", "PATCH", "DELETE"] {
        for name in ["If-Match", "If-None-Match"] {
            change(&service, &bob, (method, &draft), (name, "*"))
                .await
                .problem(404);
            change(&service, &bob, (method, &post), (name, "*"))
                .await
                .problem(403);
        }
    }
}

#[apply(behaviour)]
async fn the_post_with_an_external_id_is_created_or_replaced_on_a_condition(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let put = ("PUT", "/posts/by-external-id/x");
    let missing = change(&service, &ada, put, ("If-Match", "*")).await;
    let problem = missing.problem(412);
    assert_eq!(problem["type"], "/problems/precondition-failed");
    assert_eq!(problem.get("current_version"), None);
    let made = change(&service, &ada, put, ("If-None-Match", "*"))
        .await
        .expect(201);
    let again = change(&service, &ada, put, ("If-None-Match", "*")).await;
    assert_eq!(again.problem(412)["current_version"], 1);
    let tag = made.header("etag").unwrap();
    change(&service, &ada, put, ("If-Match", tag))
        .await
        .expect(200);
    let old = change(&service, &ada, put, ("If-Match", tag)).await;
    assert_eq!(old.problem(412)["current_version"], 2);
    change(&service, &ada, put, ("If-Match", "*"))
        .await
        .expect(200);
    // Another user has no such post.
    change(&service, &bob, put, ("If-None-Match", "*"))
        .await
        .expect(201);
}

/// Reads the post and replaces it with `If-Match`, until that succeeds `rounds` times. Returns the number
/// of 412s.
async fn edit(service: &Service, user: &User, path: &str, rounds: usize) -> usize {
    let (mut done, mut refused) = (0, 0);
    while done < rounds {
        let read = service.get(path, user).await.expect(200);
        let tag = read.header("etag").unwrap().to_owned();
        let answer = change(service, user, ("PUT", path), ("If-Match", &tag)).await;
        let version = |post: &Value| post["version"].as_i64().unwrap();
        let read = version(&read.json());
        if answer.status == 200 {
            // No other change came between the two.
            assert_eq!(version(&answer.json()), read + 1);
            done += 1;
        } else {
            assert!(answer.problem(412)["current_version"].as_i64() > Some(read));
            refused += 1;
        }
    }
    refused
}

/// Two servers, because one runs the changes of one user in turn.
#[apply(behaviour)]
async fn concurrent_changes_lose_none(fixture: Fixture) {
    let servers = [fixture.serve().await, fixture.serve().await];
    let ada = servers[0].user("ada").await;
    let path = format!("/posts/{}", servers[0].new_post(&ada, "Title").await);
    let mut voters = Vec::new();
    for name in ["bob", "carol", "dan", "eve"] {
        voters.push(servers[0].user(name).await);
    }
    let vote = format!("{path}/vote");
    let voting = join_all(voters.iter().map(async |voter| {
        for method in ["PUT", "DELETE"].into_iter().cycle().take(20) {
            servers[1]
                .call(method, &vote, Some(voter), None)
                .await
                .expect(200);
        }
    }));
    let editors = servers.iter().cycle().take(8);
    let editing = join_all(editors.map(|server| edit(server, &ada, &path, 5)));
    let (_, refused) = tokio::join!(voting, editing);
    let post = servers[0].get(&path, &ada).await.json();
    assert_eq!(post["version"], 1 + 8 * 5, "{refused:?} were refused");
}

#[apply(behaviour)]
async fn a_write_returns_no_body_if_the_client_prefers_that(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let send = async |method: &str, path: &str, body: Value, prefer: &str| {
        let request = service.request(method, path).bearer_auth(&ada.token);
        let request = request.header("Prefer", prefer).json(&body);
        Answer::of(request.send().await.expect("no answer")).await
    };
    let body = json!({"title": "Title", "content": "Content"});
    let made = send("POST", "/posts", body.clone(), "return=minimal")
        .await
        .expect(201);
    assert_eq!(made.text, "");
    assert_eq!(made.header("preference-applied"), Some("return=minimal"));
    assert_eq!(made.header("content-type"), None);
    let path = made.header("location").unwrap().to_owned();
    let read = service.get(&path, &ada).await.expect(200);
    assert_eq!(made.header("etag"), read.header("etag"));
    let minimal = "respond-async, Return=\"minimal\"; x=y, return=representation";
    for (method, path) in [
        ("PUT", path.clone()),
        ("PATCH", path.clone()),
        ("PUT", format!("{path}/vote")),
        ("DELETE", format!("{path}/vote")),
        ("PATCH", "/users/me".to_owned()),
    ] {
        let body = if path == "/users/me" {
            json!({})
        } else {
            body.clone()
        };
        let answer = send(method, &path, body.clone(), minimal).await.expect(204);
        assert_eq!(
            (answer.text.as_str(), answer.header("content-type")),
            ("", None)
        );
        let answer = send(method, &path, body, "return=representation, return=minimal").await;
        assert_eq!(answer.expect(200).header("preference-applied"), None);
    }
    let id: i64 = path.trim_start_matches("/posts/").parse().unwrap();
    let vote = json!({"post_id": id, "dir": 1});
    assert_eq!(
        send("POST", "/vote", vote.clone(), minimal)
            .await
            .expect(201)
            .text,
        ""
    );
    // Errors and reads keep their bodies.
    send("POST", "/vote", vote, minimal).await.problem(409);
    assert_ne!(
        send("GET", &path, json!({}), minimal)
            .await
            .expect(200)
            .text,
        ""
    );
    // Nobody could use the new session without its tokens.
    let password = json!({"password": "a new password of ada", "current_password": PASSWORD});
    let changed = send("PATCH", "/users/me", password, minimal).await;
    assert!(changed.expect(200).json()["tokens"].is_object());
}
