//! Problem details of every error, one for each place in the code that reports one.

mod sources;

use std::fmt::Write;

use acclaim::{
    config::Origins,
    http::{
        problem::ProblemType,
        route::{self, Route, TIMEOUT},
    },
    routes,
};
use actix_web::{HttpResponse, web::ServiceConfig};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{
    Fixture, apply, behaviour, limits,
    service::{Answer, Service},
};

/// Panics without the message that a panic prints.
#[utoipa::path(get, path = "/panics")]
async fn panics() -> HttpResponse {
    std::panic::resume_unwind(Box::new("out of luck"))
}

#[utoipa::path(get, path = "/hangs")]
async fn hangs() -> HttpResponse {
    tokio::time::sleep(TIMEOUT * 2).await;
    HttpResponse::Ok().finish()
}

/// The routes of the service, with one that panics and one that hangs.
fn with_failures(config: &mut ServiceConfig) {
    routes::configure(config);
    let failures = [
        Route::new::<__path_panics, _, _>(panics),
        Route::new::<__path_hangs, _, _>(hangs),
    ];
    route::configure(config, &failures);
}

/// Appends the status, the fields and the body of `answer` to `snapshot`.
fn record(snapshot: &mut String, source: &str, answer: &Answer) {
    let is_oauth = answer.header("content-type") == Some("application/json");
    let problem = if is_oauth {
        answer.oauth_error();
        answer.json()
    } else {
        let mut problem = answer.problem(answer.status);
        problem["instance"] = json!("(the request id)");
        problem
    };
    let mut text = format!("## {source}\n\n{}\n", answer.status);
    for name in [
        "allow",
        "ratelimit-policy",
        "ratelimit",
        "retry-after",
        "www-authenticate",
    ] {
        if let Some(value) = answer.header(name) {
            writeln!(text, "{name}: {value}").unwrap();
        }
    }
    text += &serde_json::to_string_pretty(&problem).unwrap();
    if let (429, Some(seconds)) = (answer.status, answer.header("retry-after")) {
        text = text.replace(seconds, "(seconds)");
    }
    writeln!(snapshot, "{text}\n").unwrap();
}

#[apply(behaviour)]
async fn every_error_answers_as_in_its_snapshot(fixture: Fixture) {
    fixture.migrate().await;
    let state = fixture.state(&fixture.database()).await;
    let drain = state.drain.clone();
    let listed = Origins::These(vec!["https://app.example".to_owned()]);
    let service = fixture.start_with(state, listed, with_failures);
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let id = service.new_post(&ada, "Title").await;
    assert_eq!((ada.id, grace.id, id), (1, 2, 1));
    service
        .call("PUT", "/posts/1/vote", Some(&ada), None)
        .await
        .expect(200);

    let new = json!({"name": "Bot", "scopes": ["posts:read"]});
    let keyed = service.request("POST", "/tokens").bearer_auth(&ada.token);
    let keyed = keyed.header("idempotency-key", "used").json(&new).send();
    Answer::of(keyed.await.expect("no answer"))
        .await
        .expect(201);

    let mut snapshot = String::new();
    for (source, request) in sources::requests(&service, &ada, &grace) {
        let answer = Answer::of(request.send().await.expect(source)).await;
        record(&mut snapshot, source, &answer);
    }
    let mut state = fixture.state(&fixture.database()).await;
    state.limits = limits(&[("RATE_LIMIT_SIGN_IN", "2/hour")]);
    let limited = fixture.start(state, Origins::These(Vec::new()));
    for _ in 0..2 {
        let empty = Some(json!({}));
        let answer = limited.call("POST", "/login", None, empty).await;
        answer.problem(422);
    }
    let limited = limited.call("POST", "/login", None, None).await;
    record(&mut snapshot, "more sign-ins than are allowed", &limited);
    let (hung, slow) = tokio::join!(service.call("GET", "/hangs", None, None), slow(&service));
    record(&mut snapshot, "a handler that takes too long", &hung);
    writeln!(snapshot, "## a body that does not arrive\n\n{slow}\n").unwrap();

    let down = migration::Command::Reset;
    migration::run(&fixture.owned_database(), &down)
        .await
        .unwrap();
    record(
        &mut snapshot,
        "a database that lacks a table",
        &service.get("/posts", &ada).await,
    );
    let ready = service.call("GET", "/health/ready", None, None).await;
    record(&mut snapshot, "a database that lacks migrations", &ready);
    drain.stop();
    let ready = service.call("GET", "/health/ready", None, None).await;
    record(&mut snapshot, "a server that is stopping", &ready);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("problems", snapshot);
    });
}

/// Sends a request without its announced body and returns the status line and body of the answer.
async fn slow(service: &Service) -> String {
    let address = service.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("no connection");
    let head = "POST /users HTTP/1.1\r\nhost: x\r\nx-request-id: slow\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("not sent");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    read.expect("no answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("no body");
    let status = head.lines().next().expect("no head");
    assert!(head.contains("application/problem+json"), "{head}");
    format!("{status}\n{body}")
}

#[apply(behaviour)]
async fn every_problem_type_has_a_page(fixture: Fixture) {
    let service = fixture.serve().await;
    let get = |uri: &str, accept: &str| {
        let request = service.request("GET", uri).header("accept", accept);
        async {
            let answer = request.send().await.expect("no answer");
            Answer::of(answer).await.expect(200)
        }
    };
    let list = get("/problems", "*/*").await.json();
    let list = list.as_array().unwrap();
    assert!(list.is_sorted_by_key(|listed| listed["status"].as_u64()));
    assert_eq!(list.len(), ProblemType::all().count());
    let index = get("/problems", "text/html").await.text;
    for problem_type in ProblemType::all() {
        let uri = problem_type.uri();
        let description = get(&uri, "*/*").await.json();
        assert_eq!(description["type"], uri);
        assert_eq!(description["status"], problem_type.status.as_u16());
        for member in ["type", "title", "status"] {
            assert_eq!(description[member], description["example"][member]);
        }
        let html = get(&uri, "text/html").await.text;
        for member in ["title", "meaning", "advice"] {
            let text = description[member].as_str().unwrap();
            assert!(text.len() > 4 && html.contains(text), "{html}");
        }
        assert!(list.contains(&description), "{uri}");
        let heading = format!("<h2 id=\"{0}\">{0} ", problem_type.status.as_u16());
        let link = format!("<a href=\"{uri}\">{}</a>", problem_type.title);
        for text in [&heading, &link, problem_type.meaning] {
            assert!(index.contains(text), "{text}: {index}");
        }
    }
}
