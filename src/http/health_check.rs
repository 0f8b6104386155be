//! Asks a running server for its health, over a connection of its own.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than the server needs to find that its database does not answer: 3 s.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum size of the status line of a response.
const MAX_STATUS_LINE: u64 = 256;

/// The address at which a server that listens on `address` can be reached from its own machine.
#[must_use]
pub fn local(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Sends `GET path` to the server at `authority`, `HOST:PORT`.
///
/// # Errors
/// If the response is not a 200, or does not come within 5 s.
pub async fn check(authority: &str, path: &str) -> Result<(), String> {
    let status =
        async { request(&mut TcpStream::connect(authority).await?, authority, path).await };
    let status = within_limit(status).await?;
    match status.split_once(' ') {
        Some((_, "200 OK")) => Ok(()),
        Some((version, status)) if version.starts_with("HTTP/1.") => Err(status.to_owned()),
        _ => Err("the response is not HTTP".to_owned()),
    }
}

/// Sends `GET path` to the server at `authority`, `HOST:PORT`, and waits until it responds or closes the
/// connection. A server with too many connections closes it.
///
/// # Errors
/// If neither happens within 5 s.
pub async fn reach(authority: &str, path: &str) -> Result<(), String> {
    let reached = async {
        let mut stream = TcpStream::connect(authority).await?;
        let _ = request(&mut stream, authority, path).await;
        Ok(())
    };
    within_limit(reached).await
}

async fn within_limit<T>(work: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    let outcome = timeout(TIMEOUT, work).await;
    outcome
        .map_err(|_| format!("no response within {TIMEOUT:?}"))?
        .map_err(|error| error.to_string())
}

/// The first line of the response, without the line break.
async fn request(stream: &mut TcpStream, authority: &str, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    stream.take(MAX_STATUS_LINE).read_to_end(&mut head).await?;
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next().unwrap_or_default();
    // It is printed, and another program may have sent it.
    Ok(line.replace(char::is_control, " "))
}
