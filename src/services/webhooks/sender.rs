//! Sends one request to an endpoint.

use std::{
    error::Error as StdError,
    fmt, io,
    iter::successors,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use entity::values::{WebhookSecret, WebhookUrl};
use reqwest::{
    Client, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect,
};
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook,
};
use time::OffsetDateTime;
use tokio::net::lookup_host;

use super::policy::Policy;
use crate::error::Error;

/// Maximum time of a request, with the first bytes of its answer.
const TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The bytes of an answer that are read and kept. The connection is closed then.
const ANSWER_BYTES: usize = 1024;
/// Idle connections are closed soon: the address of each connection was checked when it was opened.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Sends requests to endpoints. Clones share its connections.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    policy: Policy,
}

/// A request to an endpoint.
pub struct Message<'a> {
    /// `webhook-id`: the same in each attempt.
    pub id: &'a str,
    /// JSON.
    pub body: &'a str,
    /// The keys that sign.
    pub secrets: Vec<&'a WebhookSecret>,
}

/// The outcome of a request.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The HTTP status; `None` if there was no answer.
    pub status: Option<u16>,
    /// The first 1,024 bytes of the answer.
    pub answer: Option<String>,
    /// The reason of the failure, for the owner; `None` if the answer is 2xx.
    pub error: Option<&'static str>,
    /// `Retry-After` of the answer.
    pub retry_after: Option<Duration>,
    /// The time that it took; zero if there was neither an answer nor a time-out.
    pub duration: Duration,
}

impl Sender {
    /// A client that follows `policy` at each connection.
    ///
    /// # Errors
    /// If the system has no certificates of authorities.
    pub fn new(policy: Policy) -> Result<Self, Error> {
        Self::with_lookup(policy, System)
    }

    fn with_lookup(policy: Policy, lookup: impl Lookup) -> Result<Self, Error> {
        let resolver = Guarded {
            policy: policy.clone(),
            lookup,
        };
        let client = Client::builder()
            .user_agent(concat!("Acclaim/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(resolver))
            // A redirect or a proxy of the environment would lead past the policy.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(1)
            .build()
            .map_err(Error::internal)?;
        Ok(Self { client, policy })
    }

    /// The rules for endpoints.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sends `message` to `url`. Takes up to 15 s. An endpoint that fails is no error.
    ///
    /// # Errors
    /// [`Error::Internal`] if a secret is not base64.
    pub async fn send(&self, url: &WebhookUrl, message: &Message<'_>) -> Result<Attempt, Error> {
        // A host that is an address is not resolved, so it is checked here.
        if self.policy.check(url).is_err() {
            return Ok(Attempt::failed("the URL is not allowed", Duration::ZERO));
        }
        let timestamp = OffsetDateTime::now_utc().unix_timestamp();
        let signatures = message.secrets.iter().map(|secret| {
            let webhook = Webhook::new(secret.expose()).map_err(Error::internal)?;
            let signature = webhook.sign(message.id, timestamp, message.body.as_bytes());
            signature.map_err(Error::internal)
        });
        let signatures: Vec<_> = signatures.collect::<Result<_, Error>>()?;
        let request = self
            .client
            .post(url.as_str())
            .header(HEADER_WEBHOOK_ID, message.id)
            .header(HEADER_WEBHOOK_TIMESTAMP, timestamp)
            .header(HEADER_WEBHOOK_SIGNATURE, signatures.join(" "))
            .header(CONTENT_TYPE, "application/json")
            .body(message.body.to_owned());
        let began = Instant::now();
        let answer = match request.send().await {
            Ok(response) => Attempt::of(response, began).await,
            Err(error) => {
                let error = error.without_url();
                let host = url.host().map(|host| host.to_string());
                let causes: Vec<_> = causes(&error).map(ToString::to_string).collect();
                tracing::debug!(
                    host,
                    error = causes.join(": "),
                    "a webhook was not delivered"
                );
                let duration = if error.is_timeout() {
                    began.elapsed()
                } else {
                    Duration::ZERO
                };
                Attempt::failed(reason(&error), duration)
            }
        };
        Ok(answer)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.policy).finish()
    }
}

impl Attempt {
    /// Whether the endpoint took the message.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.error.is_none()
    }

    fn failed(error: &'static str, duration: Duration) -> Self {
        Self {
            status: None,
            answer: None,
            error: Some(error),
            retry_after: None,
            duration,
        }
    }

    async fn of(mut response: Response, began: Instant) -> Self {
        let status = response.status();
        let seconds = response.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok());
        let mut bytes = Vec::new();
        // What follows the first bytes is not of interest, and neither is an error there.
        while bytes.len() < ANSWER_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            let rest = ANSWER_BYTES - bytes.len();
            bytes.extend(chunk.iter().take(rest));
        }
        let error = if status.is_success() {
            None
        } else if status.is_redirection() {
            Some("the endpoint redirects, which is not followed")
        } else {
            Some("the endpoint answered with an error")
        };
        Self {
            status: Some(status.as_u16()),
            answer: Some(text(&bytes)),
            error,
            retry_after: seconds.map(Duration::from_secs),
            duration: began.elapsed(),
        }
    }
}

/// `bytes` as text of at most as many bytes: what is not UTF-8, and U+0000, which PostgreSQL cannot store, become
/// question marks.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut text = text.replace(['\0', char::REPLACEMENT_CHARACTER], "?");
    text.truncate(bytes.len());
    text
}

/// The reason of a failure, without details of the operator's network.
fn reason(error: &reqwest::Error) -> &'static str {
    if causes(error).any(<dyn StdError>::is::<Refused>) {
        "the host does not exist, or has no public address"
    } else if error.is_timeout() {
        "the endpoint did not answer in time"
    } else if error.is_connect() {
        "the endpoint cannot be reached, or its certificate is not valid"
    } else {
        "the connection failed"
    }
}

/// The error and its causes.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    successors(Some(first), |&error| error.source())
}

/// Resolves host names, and leaves out the addresses that the policy refuses. The client connects to no
/// other address than these, so a second resolution cannot replace them.
struct Guarded<L = System> {
    policy: Policy,
    lookup: L,
}

/// The addresses of a host name.
trait Lookup: Clone + Send + Sync + 'static {
    fn lookup(self, host: String) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// The resolver of the operating system.
#[derive(Clone)]
struct System;

impl Lookup for System {
    async fn lookup(self, host: String) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((host, 0)).await?.collect())
    }
}

/// Every address of the host is refused.
#[derive(Debug, thiserror::Error)]
#[error("every address of the host is refused")]
struct Refused;

impl<L: Lookup> Resolve for Guarded<L> {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookup) = (self.policy.clone(), self.lookup.clone());
        Box::pin(async move {
            // A name that does not exist and one with a private address look the same to users: they must not
            // learn the names in the operator's network.
            let found = lookup.lookup(name.as_str().to_owned()).await;
            let mut addresses = found.unwrap_or_default();
            addresses.retain(|address| policy.permits(address.ip()));
            if addresses.is_empty() {
                return Err(Refused.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
