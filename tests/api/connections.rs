//! Connections that wait for their client, and their number.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::harness::{Fixture, apply, behaviour, process::Running};

const HEALTH: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: acclaim\r\n\r\n";

/// A connection from `127.0.0.{from}`.
async fn connect(running: &Running, from: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("no socket");
    let local = ([127, 0, 0, from], 0).into();
    socket.bind(local).expect("cannot bind");
    let address = running.service.base.trim_start_matches("http://");
    let address = address.parse().expect("not an address");
    socket.connect(address).await.expect("no connection")
}

/// Sends `request`. Returns the status of the response, or `None` if the connection is closed.
async fn status(connection: &mut TcpStream, request: &[u8]) -> Option<u16> {
    connection.write_all(request).await.ok()?;
    let mut response = String::new();
    let mut bytes = [0; 4096];
    loop {
        let read = connection.read(&mut bytes).await.ok()?;
        response.push_str(std::str::from_utf8(&bytes[..read]).expect("not UTF-8"));
        if read == 0 || response.contains("\r\n\r\n") {
            return response.split(' ').nth(1)?.parse().ok();
        }
    }
}

/// Waits until the server closes the connection, and returns the bytes that it sent before.
async fn rest(connection: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset also ends it.
    let _ = connection.read_to_end(&mut rest).await;
    rest
}

/// The server would close these connections after 75 s without bytes, as it does idle ones. The
/// client waits for less time for all of them together.
#[apply(behaviour)]
async fn a_connection_with_an_incomplete_request_is_closed(fixture: Fixture) {
    fixture.migrate().await;
    let running = Running::start(fixture.folder(), &[("DATABASE_URL", &fixture.url)]).await;
    let chunk = "Transfer-Encoding: chunked\r\n\r\n5\r\nab";
    let no_token = format!("POST /posts HTTP/1.1\r\nHost: acclaim\r\n{chunk}");
    let unread = format!("GET /health/live HTTP/1.1\r\nHost: acclaim\r\n{chunk}");
    let cases = [
        (HEALTH, 200),
        (no_token.as_bytes(), 401),
        (unread.as_bytes(), 200),
    ];
    let mut connections = Vec::new();
    for (request, expected) in cases {
        let mut connection = connect(&running, 1).await;
        assert_eq!(status(&mut connection, request).await, Some(expected));
        connections.push(connection);
    }
    // The first byte of a second request head.
    connections[0].write_all(b"G").await.expect("closed");
    let ends = connections.iter_mut().map(rest);
    let ends = futures_util::future::join_all(ends);
    let limit = std::time::Duration::from_secs(40);
    tokio::time::timeout(limit, ends).await.expect("not closed");
}

#[apply(behaviour)]
async fn connections_are_bounded_in_all_and_per_address(fixture: Fixture) {
    fixture.migrate().await;
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("MAX_CONNECTIONS", "3"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "2"),
    ];
    let running = Running::start(fixture.folder(), &settings).await;
    let mut open = Vec::new();
    // The third of an address replaces its first, and the fourth of all the oldest of all.
    for (from, replaces) in [(1, None), (1, None), (1, Some(0)), (2, None), (3, Some(1))] {
        let mut connection = connect(&running, from).await;
        assert_eq!(status(&mut connection, HEALTH).await, Some(200));
        open.push(connection);
        if let Some(replaced) = replaces {
            assert_eq!(rest(&mut open[replaced]).await, b"");
            assert_eq!(status(&mut open[replaced], HEALTH).await, None);
        }
    }
    for kept in [2, 3, 4] {
        assert_eq!(status(&mut open[kept], HEALTH).await, Some(200));
    }
}

/// A request whose body is not complete is in progress: it is not given up for a new connection.
#[apply(behaviour)]
async fn a_connection_with_an_open_request_is_not_replaced(fixture: Fixture) {
    fixture.migrate().await;
    let settings = [
        ("DATABASE_URL", fixture.url.as_str()),
        ("MAX_CONNECTIONS", "1"),
    ];
    let running = Running::start(fixture.folder(), &settings).await;
    let mut busy = connect(&running, 1).await;
    let head = b"POST /users HTTP/1.1\r\nHost: acclaim\r\nContent-Type: application/json\r\n\
                 Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    // The server asks for the body once it has the head.
    assert_eq!(status(&mut busy, head).await, Some(100));
    let mut refused = connect(&running, 2).await;
    assert_eq!(status(&mut refused, HEALTH).await, None);
    assert_eq!(status(&mut busy, b"{}").await, Some(422));
}

/// The responses do not fit into the buffers of the kernel, so the server waits for the client.
#[apply(behaviour)]
async fn a_client_may_read_after_it_has_sent_many_requests(fixture: Fixture) {
    fixture.migrate().await;
    let running = Running::start(fixture.folder(), &[("DATABASE_URL", &fixture.url)]).await;
    let mut connection = connect(&running, 1).await;
    let count = 2_000;
    let last = b"GET /health/live HTTP/1.1\r\nHost: acclaim\r\nConnection: close\r\n\r\n";
    let requests = [HEALTH.repeat(count - 1), last.to_vec()].concat();
    connection.write_all(&requests).await.expect("not sent");
    let responses = rest(&mut connection).await;
    let responses = String::from_utf8(responses).expect("not UTF-8");
    assert_eq!(responses.matches("HTTP/1.1 200 OK").count(), count);
}
