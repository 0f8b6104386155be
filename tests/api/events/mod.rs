//! `/events`

mod access;
mod log;
mod pages;
mod streams;
mod views;

use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::harness::{
    Fixture,
    service::{Answer, Service, User},
    wait_for,
};

/// Events of the service itself, such as those of sign-ups, are not what most tests are about.
const POSTS: &str = "kinds=post.*,vote.*";

/// An event of a stream.
#[derive(Debug)]
pub struct Sse {
    pub id: Option<String>,
    pub name: String,
    pub data: Value,
}

/// An open stream.
pub struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    pub async fn open(request: RequestBuilder) -> Self {
        let request = request.header("accept", "text/event-stream");
        let response = request.send().await.expect("no answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let text = String::new();
        let mut stream = Self { response, text };
        let first = stream.block().await.expect("no first block");
        let pause = first.strip_prefix("retry: ").expect("no pause");
        let pause: u32 = pause.parse().expect("not a number");
        assert!((1_000..5_000).contains(&pause));
        stream
    }

    /// The stream of `user` at `path`.
    pub async fn of(service: &Service, path: &str, user: &User) -> Self {
        Self::open(service.request("GET", path).bearer_auth(&user.token)).await
    }

    /// The next event; `None` at the end of the stream. Skips signs of life.
    pub async fn next(&mut self) -> Option<Sse> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let mut values = block.lines().filter_map(|line| line.strip_prefix(name));
                values.next().map(str::to_owned)
            };
            if let Some(name) = field("event: ") {
                let data = field("data: ").expect("no data");
                return Some(Sse {
                    id: field("id: "),
                    name,
                    data: serde_json::from_str(&data).expect("not JSON"),
                });
            }
        }
    }

    /// The next event as one text: kind, post or user, and votes.
    pub async fn told(&mut self) -> String {
        let event = self.next().await.expect("the stream ended");
        assert_eq!(event.id, Some(event.data["position"].to_string()));
        assert_eq!(event.data["kind"], event.name);
        told(&event.data)
    }

    /// The text up to the next empty line.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = timeout(Duration::from_secs(30), self.response.chunk());
            match chunk.await.expect("the stream is silent") {
                Ok(Some(bytes)) => self.text.push_str(std::str::from_utf8(&bytes).unwrap()),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

/// An event as one text.
pub fn told(event: &Value) -> String {
    let members = [
        "post_id",
        "owner_id",
        "votes",
        "user_id",
        "session_id",
        "token_id",
        "webhook_id",
        "audit_entry_id",
    ];
    let kind = event["kind"].as_str().expect("no kind").to_owned();
    let members = members.iter().filter_map(|member| {
        let value = event.get(member)?;
        Some(format!("{}={value}", member.trim_end_matches("_id")))
    });
    let parts: Vec<String> = std::iter::once(kind).chain(members).collect();
    parts.join(" ")
}

/// The path of the next page.
pub fn next(page: &Answer) -> String {
    let link = page.header("link").expect("no link");
    let path = link
        .strip_prefix('<')
        .and_then(|it| it.strip_suffix(">; rel=\"next\""));
    path.expect("no next page").to_owned()
}

/// All events from `path` on, as texts, over all pages.
pub async fn all(service: &Service, path: &str, user: &User) -> Vec<String> {
    let (mut found, mut path) = (Vec::new(), path.to_owned());
    loop {
        let page = service.get(&path, user).await.expect(200);
        let events = page.json();
        let events = events.as_array().unwrap();
        if events.is_empty() {
            return found;
        }
        found.extend(events.iter().map(told));
        path = next(&page);
    }
}

/// Waits until every change so far has its position.
pub async fn numbered(fixture: &Fixture) {
    if fixture.is_postgres() {
        let waiting = "SELECT count(*)::text FROM event_outbox";
        wait_for(&fixture.connect().await, waiting, &["0"]).await;
    }
}
