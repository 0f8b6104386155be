//! `acclaim health`

use url::Url;

use crate::{config, http::health_check};

/// Asks a server for `/health/ready`, and prints one line. The exit code is 1 if it is not ready.
///
/// `authority` is that of the server of `HOST` and `PORT` by default.
pub(super) async fn run(authority: Option<String>) -> Result<u8, String> {
    let authority = match authority {
        Some(authority) => authority,
        None => health_check::local(config::load_address().map_err(|errors| errors.to_string())?)
            .to_string(),
    };
    let outcome = health_check::check(&authority, "/health/ready").await;
    match outcome {
        Ok(()) => {
            println!("http://{authority} is ready");
            Ok(0)
        }
        Err(error) => {
            eprintln!("acclaim: http://{authority} is not ready: {error}");
            Ok(1)
        }
    }
}

/// The host and the port of the URL of a server.
pub(super) fn authority(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| url.scheme() == "http" && url.path() == "/");
    let url = url.filter(|url| url.query().is_none() && url.fragment().is_none());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    let host = url
        .as_ref()
        .and_then(|url| url.host_str().zip(url.port_or_known_default()));
    let (host, port) = host.ok_or(
        "expected an http URL without a path, such as http://127.0.0.1:8000; https is not supported",
    )?;
    Ok(format!("{host}:{port}"))
}
