//! The running server: start, log and shutdown.

use std::{error::Error, io, net::TcpListener, sync::Arc};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixDatagram},
    sync::Notify,
    task::JoinSet,
};

use crate::harness::{
    Fixture, apply, behaviour,
    process::{Running, run},
    service::{PASSWORD, User},
};

const SECRET: (&str, &str) = ("JWT_SECRET", "a secret of the tests of enough bytes");

/// Clients send requests in a loop, on persistent and on new connections. During the stop, new
/// connections may be refused, but every request on an accepted connection must be answered.
#[apply(behaviour)]
async fn shutdown_answers_every_accepted_request(fixture: Fixture) {
    fixture.migrate().await;
    let settings = [("DATABASE_URL", fixture.url.as_str()), SECRET];
    let running = Running::start(fixture.folder(), &settings).await;
    let user = running.service.user("ada").await;
    let id = running.service.new_post(&user, "Title").await;
    let warm = Arc::new(Notify::new());
    let mut clients = JoinSet::new();
    for number in 0..16 {
        let (service, user, warm) = (running.service.clone(), user.clone(), Arc::clone(&warm));
        clients.spawn(async move {
            let mut answered = 0;
            loop {
                let call = format!("client-{number}-{answered}");
                let mut request = match number % 4 {
                    0 => service.request("GET", "/posts"),
                    1 => service.request("GET", &format!("/posts/{id}")),
                    2 => service.request("PUT", &format!("/posts/{id}/vote")),
                    _ => {
                        let new = json!({"title": "t", "content": "c"});
                        service.request("POST", "/posts").json(&new)
                    }
                };
                if number % 2 == 0 {
                    request = request.header("connection", "close");
                }
                let request = request.bearer_auth(&user.token);
                match request.header("x-request-id", &call).send().await {
                    Ok(answer) => {
                        assert!(answer.status().is_success(), "{answer:?}");
                        answer.bytes().await.expect("the answer was cut off");
                        answered += 1;
                        if answered == 20 {
                            warm.notify_one();
                        }
                    }
                    Err(error) => break (call, error),
                }
            }
        });
    }
    for _ in 0..4 {
        warm.notified().await;
    }
    running.signal("TERM");
    let last = clients.join_all().await;
    let (code, log) = running.end().await;
    for (call, error) in last {
        // A refused or reset connection never reached the server.
        let refused = error.is_connect() || is_reset(&error);
        assert!(refused, "{call} was cut off: {error:?}");
        assert!(
            !log.contains(&format!("\"{call}\"")),
            "{call} was cut off: {error:?}"
        );
    }
    assert!(log.contains("\"client-0-0\""), "{log}");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopped"), "{log}");
    let failed = log.lines().find(|line| line.contains("ERROR"));
    assert_eq!(failed, None);
}

fn is_reset(error: &(dyn Error + 'static)) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionReset)
        || error.source().is_some_and(is_reset)
}

#[apply(behaviour)]
async fn sigint_stops_the_server(fixture: Fixture) {
    fixture.migrate().await;
    let running = Running::start(fixture.folder(), &[("DATABASE_URL", &fixture.url)]).await;
    running.signal("INT");
    let (code, log) = running.end().await;
    assert_eq!(code, Some(0), "{log}");
}

/// systemd relies on these messages, which `sd_notify(3)` describes.
#[apply(behaviour)]
async fn systemd_is_told_that_the_server_is_ready_alive_and_stopping(fixture: Fixture) {
    fixture.migrate().await;
    let path = fixture.folder().join("notify");
    let socket = UnixDatagram::bind(&path).expect("no socket");
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("NOTIFY_SOCKET", path.to_str().expect("not UTF-8")),
        ("WATCHDOG_USEC", "100000"),
    ];
    let running = Running::start(fixture.folder(), &settings).await;
    let mut seen = Vec::new();
    let mut next = async || {
        let mut message = [0; 64];
        let length = socket.recv(&mut message).await.expect("no message");
        seen.push(
            String::from_utf8_lossy(&message[..length])
                .trim()
                .to_owned(),
        );
        seen.clone()
    };
    while next()
        .await
        .iter()
        .filter(|message| *message == "WATCHDOG=1")
        .count()
        < 3
    {}
    running.signal("TERM");
    while next().await.last().expect("no message") != "STOPPING=1" {}
    let seen = next().await;
    assert_eq!(
        seen.iter().filter(|message| *message == "READY=1").count(),
        1,
        "{seen:?}"
    );
    let (code, log) = running.end().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("WARN acclaim::jobs::watchdog"), "{log}");
}

#[apply(behaviour)]
async fn the_log_has_one_line_per_request_and_no_secrets(fixture: Fixture) {
    fixture.migrate().await;
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("LOG_FORMAT", "json"),
        ("RUST_LOG", "trace"),
        SECRET,
    ];
    let running = Running::start(fixture.folder(), &settings).await;
    let service = running.service.clone();
    let user = service.user("ada").await;
    let refresh = json!({"grant_type": "refresh_token", "refresh_token": user.refresh_token});
    let refreshed = service.call("POST", "/login", None, Some(refresh)).await;
    let refreshed = refreshed.expect(200).json();
    let new = json!({"name": "Bot", "scopes": ["posts:read"]});
    let token = service.post("/tokens", &user, new).await.expect(201).json();
    let bot = User {
        token: token["token"].as_str().unwrap().to_owned(),
        ..user.clone()
    };
    service.get("/posts", &bot).await.expect(200);
    let wrong = json!({"username": "ada", "password": "another wrong horse"});
    service
        .call("POST", "/login", None, Some(wrong))
        .await
        .problem(401);
    let request = service
        .request("GET", "/posts?search=private")
        .bearer_auth(&user.token);
    let answer = request
        .header("x-request-id", "this-one")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    running.signal("TERM");
    let (_, log) = running.end().await;
    for secret in [
        PASSWORD,
        &PASSWORD.replace(' ', "+"),
        "another wrong horse",
        &user.token,
        &user.refresh_token,
        refreshed["access_token"].as_str().unwrap(),
        refreshed["refresh_token"].as_str().unwrap(),
        &bot.token,
        SECRET.1,
        "$argon2",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .filter(|line: &Value| line["message"] == "request")
        .collect();
    let line = lines.last().unwrap();
    assert_eq!(line["method"], "GET");
    assert_eq!(line["route"], "/posts");
    assert_eq!(line["status"], 200);
    assert_eq!(line["user_id"], user.id);
    assert!(line["milliseconds"].as_f64().unwrap() > 0.0);
    assert_eq!(line["span"]["request_id"], "this-one");
    assert!(!line.to_string().contains("private"), "{line}");
}

/// The client causes them, so they are counted, and no client can fill the log.
#[apply(behaviour)]
async fn malformed_request_heads_are_counted_in_the_log(fixture: Fixture) {
    fixture.migrate().await;
    let settings = [("DATABASE_URL", fixture.url.as_str()), SECRET];
    let running = Running::start(fixture.folder(), &settings).await;
    let address = running.service.base.trim_start_matches("http://");
    let malformed = [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nb@d header\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
    ];
    for head in malformed.repeat(25) {
        let mut stream = TcpStream::connect(address).await.expect("no connection");
        stream.write_all(head.as_bytes()).await.expect("not sent");
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer).await;
        read.expect("no answer");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    running.signal("TERM");
    let (code, log) = running.end().await;
    assert_eq!(code, Some(0), "{log}");
    let counted = log.lines().filter(|line| line.contains("broken requests"));
    let counted: Vec<&str> = counted.filter(|line| line.contains("number=")).collect();
    let number = |line: &&str| -> u64 {
        let (_, rest) = line.split_once("number=").expect("no number");
        let digits = rest.split(' ').next().expect("no end");
        digits.parse().expect(rest)
    };
    assert_eq!(counted.iter().map(number).sum::<u64>(), 100, "{log}");
    // One line in 10 s, and one at the stop.
    assert!(counted.len() < malformed.len() * 25, "{log}");
    for line in log.lines() {
        assert!(
            !line.contains("ERROR") && !line.contains("stream error"),
            "{line}"
        );
    }
}

#[apply(behaviour)]
async fn sqlite_migrates_at_start_and_postgresql_on_request(fixture: Fixture) {
    let url = ("DATABASE_URL", fixture.owner_url.as_str());
    if fixture.is_postgres() {
        let refused = run(fixture.folder(), &["serve"], &[url, ("PORT", "0")]).await;
        assert_eq!(refused.code, Some(2));
        assert!(
            refused.stderr.contains("run `acclaim migrate up`"),
            "{}",
            refused.stderr
        );
    }
    let running = Running::start(fixture.folder(), &[url, ("AUTO_MIGRATE", "true")]).await;
    running.service.user("ada").await;
    running.signal("TERM");
    assert_eq!(running.end().await.0, Some(0));
}

#[apply(behaviour)]
async fn a_port_in_use_is_reported_in_one_line(fixture: Fixture) {
    fixture.migrate().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let settings = [("DATABASE_URL", fixture.url.as_str()), ("PORT", &port)];
    let ended = run(fixture.folder(), &[], &settings).await;
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("{port} is in use")),
        "{}",
        ended.stderr
    );
}

#[apply(behaviour)]
async fn a_database_that_cannot_be_opened_is_reported_in_one_line(fixture: Fixture) {
    let url = if fixture.is_postgres() {
        "postgres://ada:hidden@127.0.0.1:1/x".to_owned()
    } else {
        // SQLite cannot open a folder, even as root.
        format!("sqlite://{}", fixture.folder().display())
    };
    let ended = run(
        fixture.folder(),
        &["serve"],
        &[("DATABASE_URL", &url), ("PORT", "0")],
    )
    .await;
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(!ended.stderr.contains("hidden"), "{}", ended.stderr);
}

#[apply(behaviour)]
async fn all_invalid_settings_are_reported_together(fixture: Fixture) {
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("PORT", "x"),
        ("JWT_SECRET", "too-short"),
    ];
    let ended = run(fixture.folder(), &["serve"], &settings).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("PORT: `x`") && ended.stderr.contains("JWT_SECRET: has 9 bytes"));
    assert!(!ended.stderr.contains("too-short"), "{}", ended.stderr);
}
