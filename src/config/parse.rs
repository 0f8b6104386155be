//! Parsers for the values of settings. Each error states the problem and the expected value.

use std::{collections::BTreeSet, fs, net::SocketAddr, str::FromStr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;
use url::Url;
use zxcvbn::zxcvbn;

use super::{LogFormat, Origins};
use crate::keys::Keys;

/// Minimum length of a secret in bytes: the size of an HS256 digest (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// Minimum number of PostgreSQL connections: two for one worker, because a request may read while it
/// writes; two for the jobs, two for exports, and one to cancel statements.
const MIN_CONNECTIONS: usize = 7;
const MAX_CONNECTIONS: usize = 1000;

/// Minimum number of estimated guesses for a secret, as a power of ten: centuries at 10 billion
/// signatures a second, which is what an attacker with one token can try.
const MIN_GUESSES_LOG10: f64 = 20.0;
/// The characters that are estimated together. The time of the estimator grows faster than the square
/// of their number: 2 ms for 16.
const ESTIMATED_TOGETHER: usize = 16;

/// Secrets published in tutorials, which anyone can sign with.
const WELL_KNOWN_SECRETS: [&str; 5] = [
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e8",
    "a-string-secret-at-least-256-bits-long",
    "your-256-bit-secret-your-256-bit-secret",
    "your-secret-key-must-be-at-least-32-bytes-long",
];

/// An address to listen on; `None` if the setting is empty.
pub(super) fn socket_address(text: &str) -> Result<Option<SocketAddr>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    parsed(text, "an IP address and a port such as 127.0.0.1:9464").map(Some)
}

pub(super) fn parsed<T: FromStr>(text: &str, expected: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not {expected}"))
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("`{text}` is neither `true` nor `false`")),
    }
}

pub(super) fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ MIN_CONNECTIONS..=MAX_CONNECTIONS) => Ok(number),
        _ => Err(format!(
            "`{text}` is not an integer from {MIN_CONNECTIONS} to {MAX_CONNECTIONS}"
        )),
    }
}

pub(super) fn minutes(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(minutes @ 1..=43_200) => Ok(Duration::from_secs(minutes * 60)),
        _ => Err(format!("`{text}` is not an integer from 1 to 43200")),
    }
}

pub(super) fn days(text: &str) -> Result<time::Duration, String> {
    match text.parse::<i64>() {
        Ok(days @ 1..=365) => Ok(time::Duration::days(days)),
        _ => Err(format!("`{text}` is not an integer from 1 to 365")),
    }
}

pub(super) fn secrets(text: &str) -> Result<Option<Keys>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let secrets: Vec<_> = text.split(',').map(str::trim).collect();
    let checked = secrets.iter().enumerate().map(|(index, text)| {
        secret(text).map_err(|error| match secrets.len() {
            1 => error,
            count => format!("secret {} of {count} {error}", index + 1),
        })
    });
    let checked = checked.collect::<Result<Vec<_>, _>>()?;
    let keys = checked.split_first();
    Ok(keys.map(|(first, others)| Keys::from_secrets(first, others)))
}

fn secret(text: &str) -> Result<SecretString, String> {
    let secret = SecretString::from(text);
    let exposed = secret.expose_secret();
    if exposed.len() < MIN_SECRET_BYTES {
        Err(format!(
            "has {} bytes; expected at least {MIN_SECRET_BYTES}, such as the output of `openssl rand -hex 32`",
            exposed.len()
        ))
    } else if WELL_KNOWN_SECRETS.contains(&exposed) {
        Err("is a well-known example, which anyone can sign with; expected a random secret, such as the output of `openssl rand -hex 32`".to_owned())
    } else if is_guessable(exposed) {
        Err("is guessable: it consists of common words, sequences or repetitions; expected a random secret, such as the output of `openssl rand -hex 32`".to_owned())
    } else {
        Ok(secret)
    }
}

/// True if an estimator of password strength finds few guesses for `secret`. Repetitions count once.
fn is_guessable(secret: &str) -> bool {
    let characters: Vec<char> = secret.chars().collect();
    let repeats_after = |period: &usize| {
        let later = characters.iter().skip(*period);
        later.zip(&characters).all(|(one, other)| one == other)
    };
    let period = (1..characters.len()).find(repeats_after);
    let unit = characters.get(..period.unwrap_or(characters.len()));
    let parts = unit.unwrap_or_default().chunks(ESTIMATED_TOGETHER);
    let mut seen = BTreeSet::new();
    let mut guesses_log10 = 0.0;
    for part in parts.filter(|part| seen.insert(*part)) {
        guesses_log10 += zxcvbn(&String::from_iter(part), &[]).guesses_log10();
        if guesses_log10 >= MIN_GUESSES_LOG10 {
            return false;
        }
    }
    true
}

/// Errors do not repeat the path, because it may be the key itself, set by mistake.
pub(super) fn key_file(path: &str) -> Result<Option<Keys>, String> {
    if path.is_empty() {
        return Ok(None);
    }
    let pem = fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    Keys::from_pem(&pem).map(Some)
}

/// The items of a comma-separated list, without empty ones.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

pub(super) fn origins(text: &str) -> Result<Origins, String> {
    if text == "*" {
        return Ok(Origins::Any);
    }
    items(text)
        .map(origin)
        .collect::<Result<_, _>>()
        .map(Origins::These)
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::from_str(text)
        .map(|_| text.to_owned())
        .map_err(|_| "expected a level, or directives such as warn,acclaim=debug".to_owned())
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("`{other}` is neither `text` nor `json`")),
    }
}

pub(super) fn public_url(text: &str) -> Result<Option<String>, String> {
    let refused = "is not an http or https URL without a path, username and password, such as https://api.example";
    optional_url(text, |url| origin_of(&url), refused)
}

pub(super) fn frontend(text: &str) -> Result<Option<Url>, String> {
    let refused =
        "is not an http or https URL without username and password, such as https://app.example";
    optional_url(text, Some, refused)
}

/// Reads a URL without username and password by `read`, or returns the error `refused`. Errors do not
/// repeat the text, because it may have a password.
pub(super) fn optional_url<T>(
    text: &str,
    read: impl FnOnce(Url) -> Option<T>,
    refused: &str,
) -> Result<Option<T>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    http_url(text)
        .filter(|url| url.username().is_empty() && url.password().is_none())
        .and_then(read)
        .map(Some)
        .ok_or_else(|| refused.to_owned())
}

fn origin(text: &str) -> Result<String, String> {
    http_url(text)
        .and_then(|url| origin_of(&url))
        .ok_or_else(|| format!("`{text}` is not an origin such as https://app.example"))
}

fn http_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// Returns the ASCII serialisation (RFC 6454, section 6.2), the form that browsers send. `None` if `url`
/// has more than an origin.
fn origin_of(url: &Url) -> Option<String> {
    let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    is_origin.then(|| url.origin().ascii_serialization())
}
