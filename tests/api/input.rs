//! Input that several parsers would read differently, and large bodies.

use acclaim::config::Origins;
use futures_util::future::{join_all, select_all};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{
    Fixture, apply, behaviour, limits,
    service::{Answer, PASSWORD, Service, User},
};

async fn send(service: &Service, user: &User, route: &str, body: &str) -> Answer {
    let (method, path) = route.split_once(' ').expect("no method");
    let request = service.request(method, path).bearer_auth(&user.token);
    let request = request.header("content-type", "application/json");
    let sent = request.body(body.to_owned()).send().await;
    Answer::of(sent.expect("no answer")).await
}

#[apply(behaviour)]
async fn a_repeated_member_of_json_is_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    service.new_post(&ada, "Title").await;
    for (route, body, errors) in [
        (
            "POST /posts",
            r#"{"title": "a", "content": "c", "title": "b"}"#,
            &["title duplicate"][..],
        ),
        (
            "PUT /posts/1",
            r#"{"title": "a", "content": "c", "tags": [], "tags": []}"#,
            &["tags duplicate"],
        ),
        (
            "PATCH /posts/1",
            r#"{"title": "a", "\u0074itle": "a"}"#,
            &["title duplicate"],
        ),
        (
            "POST /vote",
            r#"{"post_id": 1, "dir": 0, "dir": 1}"#,
            &["dir duplicate"],
        ),
        (
            "POST /login",
            r#"{"username": "ada", "username": "bob", "password": "correct horse"}"#,
            &["username duplicate"],
        ),
        (
            "POST /users",
            r#"{"email": "b@example.com", "password": "correct horse", "password": "x"}"#,
            &["password duplicate"],
        ),
        (
            "POST /tokens",
            r#"{"name": "n", "name": "n", "scopes": ["account"], "scopes": 1}"#,
            &["name duplicate", "scopes duplicate"],
        ),
        // With the errors of the other members, and instead of those of the repeated one.
        (
            "POST /posts",
            r#"{"title": "", "title": 1, "published": "no"}"#,
            &["content required", "published type", "title duplicate"],
        ),
        // Unknown members are ignored, but only once.
        (
            "POST /posts",
            r#"{"title": "a", "content": "c", "x": 1, "x": 1}"#,
            &["x duplicate"],
        ),
        (
            "POST /posts",
            r#"{"title": "a", "content": "c", "x": [{"y": {"z": 1, "z": 1}}]}"#,
            &["x duplicate"],
        ),
    ] {
        let answer = send(&service, &ada, route, body).await;
        assert_eq!(answer.field_errors(), errors, "{body}");
    }
    let posts = service.get("/posts", &ada).await.expect(200).json();
    assert_eq!(posts[0]["version"], 1);
    assert_eq!(posts.as_array().map(Vec::len), Some(1));
    // The same name in different objects is no repetition.
    let body = r#"{"title": "a", "content": "c", "x": {"title": 1}, "y": [{"a": 1}, {"a": 1}]}"#;
    send(&service, &ada, "POST /posts", body).await.expect(201);
}

#[apply(behaviour)]
async fn an_id_has_one_spelling(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let (one, two) = (
        service.new_post(&ada, "One").await,
        service.new_post(&ada, "Two").await,
    );
    assert_eq!((ada.id, one, two), (1, 1, 2));
    for id in ["+1", "%2B1", "01", "0001", "1%20", "%201", "0x1", "1e0"] {
        for route in [
            "GET /posts/{id}",
            "PUT /posts/{id}",
            "PATCH /posts/{id}",
            "DELETE /posts/{id}",
            "PUT /posts/{id}/vote",
            "DELETE /posts/{id}/vote",
            "GET /users/{id}",
            "DELETE /sessions/{id}",
            "DELETE /tokens/{id}",
        ] {
            let answer = send(&service, &ada, &route.replace("{id}", id), "{}").await;
            assert_eq!(answer.field_errors(), ["id type"], "{route} of {id}");
        }
        for name in ["owner_id", "limit", "skip"] {
            let answer = service.get(&format!("/posts?{name}={id}"), &ada).await;
            assert_eq!(answer.field_errors(), [format!("{name} type")], "{id}");
        }
    }
    service.get("/posts/1", &ada).await.expect(200);
    let listed = service.get("/posts?owner_id=1&skip=0&limit=10", &ada).await;
    assert_eq!(listed.expect(200).json().as_array().map(Vec::len), Some(2));
}

#[apply(behaviour)]
async fn a_repeated_header_is_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    for (first, second) in [(&ada, &bob), (&ada, &ada)] {
        let request = service.request("GET", "/users/me");
        let request = request.bearer_auth(&first.token).bearer_auth(&second.token);
        let answer = Answer::of(request.send().await.expect("no answer")).await;
        let problem = answer.problem(400);
        assert_eq!(
            problem["detail"],
            "the header `Authorization` must occur only once"
        );
    }
    for codings in [["identity", "gzip"], ["gzip", "identity"]] {
        let mut request = service.request("POST", "/posts").bearer_auth(&ada.token);
        for coding in codings {
            request = request.header("content-encoding", coding);
        }
        let request = request.header("content-type", "application/json");
        let sent = request.body("{}").send().await.expect("no answer");
        Answer::of(sent).await.problem(415);
    }
}

/// Otherwise, a body of 1 MiB could take 100 MB of memory.
#[apply(behaviour)]
async fn a_body_with_too_many_values_is_refused(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    // The object, its three members, and the items.
    for (items, status) in [(30_000 - 4, 201), (30_000 - 3, 422)] {
        let unknown = vec![json!({}); items];
        let body = json!({"title": "a", "content": "c", "unknown": unknown});
        let answer = send(&service, &ada, "POST /posts", &body.to_string()).await;
        let answer = answer.expect(status);
        if status == 422 {
            assert_eq!(answer.field_errors(), [" length"]);
            let detail = answer.problem(422)["detail"].to_string();
            assert!(detail.contains("30000 JSON values"), "{detail}");
        }
    }
}

/// Half of the bytes of a large body, which is no JSON.
const HALF: usize = 50_000;

/// A connection to `service` on which `user` sends the first half of a large post, with
/// `X-Forwarded-For: client`.
async fn half_a_post(service: &Service, user: &User, client: &str) -> TcpStream {
    let address = service.base.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.expect("no connection");
    let head = format!(
        "POST /posts HTTP/1.1\r\nHost: acclaim\r\nAuthorization: Bearer {}\r\n\
         X-Forwarded-For: {client}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        user.token,
        2 * HALF
    );
    let sent = head + &" ".repeat(HALF);
    let sent = connection.write_all(sent.as_bytes()).await;
    sent.expect("closed");
    connection
}

/// The status line and the headers of the response.
async fn head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.expect("no response"));
    }
    String::from_utf8(head).expect("not UTF-8").to_lowercase()
}

/// The response that comes first, and the connections without one.
async fn first(connections: Vec<TcpStream>) -> (String, Vec<TcpStream>) {
    let mut connections: Vec<_> = connections.into_iter().map(Some).collect();
    let waiting = connections.iter_mut().flatten();
    let heads = waiting.map(|connection| Box::pin(head(connection)));
    let (head, index, rest) = select_all(heads).await;
    drop(rest);
    connections[index] = None;
    (head, connections.into_iter().flatten().collect())
}

/// A post with a body of 80,000 bytes, and `X-Forwarded-For: client`.
async fn large_post(service: &Service, user: &User, client: &str) -> Answer {
    let content = "\u{e9}".repeat(40_000);
    let body = json!({"title": "Large", "content": content});
    let request = service.request("POST", "/posts").bearer_auth(&user.token);
    let request = request.header("x-forwarded-for", client).json(&body);
    Answer::of(request.send().await.expect("no answer")).await
}

/// A server that takes the address of a client from `X-Forwarded-For`.
async fn serve_behind_a_proxy(fixture: &Fixture) -> Service {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.limits = limits(&[("TRUSTED_PROXIES", "127.0.0.1")]);
    fixture.start(state, Origins::These(Vec::new()))
}

/// Otherwise, callers without an account could fill the memory.
#[apply(behaviour)]
async fn a_body_without_authentication_is_small(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    let body = |length: usize| {
        let body = json!({"username": "ada", "password": PASSWORD}).to_string();
        format!("{body:length$}")
    };
    for (length, status) in [(16 * 1024, 200), (16 * 1024 + 1, 413)] {
        for token in [None, Some(&ada.token)] {
            let mut request = service.request("POST", "/login");
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let request = request.header("content-type", "application/json");
            let sent = request.body(body(length)).send().await.expect("no answer");
            let answer = Answer::of(sent).await.expect(status);
            if status == 413 {
                let detail = answer.problem(413)["detail"].to_string();
                assert!(detail.contains("16384 bytes"), "{detail}");
            }
        }
    }
    // A token is checked before the body is read: none of it has arrived.
    let mut unknown = ada.clone();
    "unknown".clone_into(&mut unknown.token);
    let head = head(&mut half_a_post(&service, &unknown, "").await).await;
    assert!(head.starts_with("http/1.1 401"), "{head}");
    // The size is refused while the body is incomplete, with and without an announced size.
    for (size, sent) in [
        (format!("Content-Length: {}", 16 * 1024 + 1), String::new()),
        (
            "Transfer-Encoding: chunked".to_owned(),
            format!("9000\r\n{}", " ".repeat(16 * 1024 + 1)),
        ),
    ] {
        let address = service.base.trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).await.expect("no connection");
        let request = format!(
            "POST /login HTTP/1.1\r\nHost: acclaim\r\nContent-Type: application/json\r\n{size}\r\n\r\n{sent}"
        );
        let written = connection.write_all(request.as_bytes()).await;
        written.expect("closed");
        let head = self::head(&mut connection).await;
        assert!(head.starts_with("http/1.1 413"), "{head}");
    }
}

#[apply(behaviour)]
async fn the_large_bodies_of_one_user_do_not_hold_up_others(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let open = (0..5).map(|_| half_a_post(&service, &ada, ""));
    let (refused, mut open) = first(join_all(open).await).await;
    assert!(refused.starts_with("http/1.1 429"), "{refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    large_post(&service, &bob, "").await.expect(201);
    service.new_post(&ada, "Small").await;
    // The end of one body, which is no JSON, makes room for another.
    let mut ended = open.pop().expect("all were refused");
    let rest = " ".repeat(HALF);
    ended.write_all(rest.as_bytes()).await.expect("closed");
    let head = head(&mut ended).await;
    assert!(head.starts_with("http/1.1 400"), "{head}");
    large_post(&service, &ada, "").await.expect(201);
}

#[apply(behaviour)]
async fn the_large_bodies_of_one_address_do_not_hold_up_others(fixture: Fixture) {
    let service = serve_behind_a_proxy(&fixture).await;
    let mut users = Vec::new();
    for name in ["ada", "bob", "cyd"] {
        users.push(service.user(name).await);
    }
    // One address is the first of its /64.
    let open = (0..9).map(async |n: usize| {
        let client = format!("2001:db8::{n}");
        half_a_post(&service, &users[n / 4], &client).await
    });
    let (refused, open) = first(join_all(open).await).await;
    assert!(refused.starts_with("http/1.1 429"), "{refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    let posted = large_post(&service, &users[2], "192.0.2.1").await;
    posted.expect(201);
    drop(open);
}

/// They make room, because they arrive too slowly.
#[apply(behaviour)]
async fn the_large_bodies_of_all_users_do_not_hold_up_small_ones(fixture: Fixture) {
    let service = serve_behind_a_proxy(&fixture).await;
    let mut users = Vec::new();
    for name in [
        "ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ivy",
    ] {
        users.push(service.user(name).await);
    }
    // Four of each user and address, 36 in all.
    let open = (0..36).map(async |n: usize| {
        let client = format!("192.0.2.{}", n / 4);
        half_a_post(&service, &users[n / 4], &client).await
    });
    let (refused, open) = first(join_all(open).await).await;
    assert!(refused.starts_with("http/1.1 408"), "{refused}");
    service.new_post(&users[0], "Small").await;
    service.sign_in("ada", PASSWORD).await;
    let other = service.user("jan").await;
    let posted = large_post(&service, &other, "198.51.100.1").await;
    posted.expect(201);
    drop(open);
}
