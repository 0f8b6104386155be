//! A stream of events: Server-Sent Events (HTML, section 9.2).

use std::{borrow::Cow, collections::VecDeque, ops::Range, time::Duration};

use actix_web::web::{Bytes, Data};
use entity::values::EventPosition;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout_at};

use super::types;
use crate::{
    error::Error,
    http::{State, limits::OpenStream},
    services::{
        auth::Identity,
        events::{self, ACCESS_KINDS, Batch, Event, Reader, Received, Subscription, Told, Viewer},
    },
};

/// Time between two signs of life. Proxies close connections that are silent for longer, often after 60 s.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events that are read at once, before the stream is at the end of the log.
const PAGE: u64 = 200;
/// Maximum number of further frames for which the first one reserves room.
const MORE_FRAMES: usize = 63;
/// The pauses after which clients connect again, in milliseconds. They are spread, so that the clients of a
/// server that stops do not come at the same time.
const RETRY: Range<u32> = 1_000..5_000;
/// Attempts at reading the log or the credential while the database cannot be reached.
const ATTEMPTS: u32 = 20;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(500);

/// A stream.
pub(super) struct Stream {
    pub state: Data<State>,
    /// `None` if anonymous.
    pub identity: Option<Identity>,
    pub reader: Reader,
    pub subscription: Subscription,
    /// Everything up to here was delivered, or is in `with_posts`.
    pub position: EventPosition,
    /// The log must be read up to here, before batches follow.
    pub known: EventPosition,
    /// The events before `position` that still need their posts.
    pub with_posts: VecDeque<Told>,
    /// What the client is told first.
    pub first: Option<Bytes>,
    /// Whether the credential was checked since the subscription.
    pub is_checked: bool,
    pub ended: bool,
    pub _place: OpenStream,
}

/// The beginning of a stream, after position `reset` if the client missed events.
pub(super) fn first(reset: Option<EventPosition>) -> Bytes {
    let retry = rand::random_range(RETRY);
    let mut text = format!("retry: {retry}\n\n");
    if let Some(position) = reset {
        text.push_str(&note("reset", position));
    }
    text.into()
}

/// An event about the stream itself. A client continues after `position`.
fn note(name: &str, position: EventPosition) -> String {
    format!("id: {position}\nevent: {name}\ndata: {{\"position\":{position}}}\n\n")
}

/// The end of a stream.
enum End {
    /// The server stops.
    Stop,
    /// The credential ended or expired.
    Access,
    /// The client takes less than there is.
    TooSlow,
    /// The database cannot be read.
    Database,
}

impl Stream {
    /// The next bytes; `None` at the end. The caller calls it when the client has taken what there was.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.ended {
            return None;
        }
        match self.more().await {
            Ok(bytes) => Some(bytes),
            Err(end) => {
                self.ended = true;
                match end {
                    End::Stop => Some(first(None)),
                    End::TooSlow => Some(note("too-slow", self.delivered()).into()),
                    End::Access => Some(Bytes::from_static(b"event: unauthorized\ndata: {}\n\n")),
                    End::Database => None,
                }
            }
        }
    }

    /// Boxed, so that a stream that waits does not carry the state of the other steps.
    async fn more(&mut self) -> Result<Bytes, End> {
        let heartbeat = Instant::now() + HEARTBEAT;
        if !std::mem::replace(&mut self.is_checked, true) {
            // The credential may have ended between its check and the subscription.
            Box::pin(self.check_identity()).await?;
        }
        loop {
            if !self.with_posts.is_empty() || self.position < self.known {
                let bytes = Box::pin(self.catch_up()).await?;
                if !bytes.is_empty() {
                    return Ok(bytes);
                }
                if Instant::now() > heartbeat {
                    return Ok(self.heartbeat());
                }
                continue;
            }
            let expires_at = self.expires_at();
            let time = expires_at.map_or(heartbeat, |at| at.min(heartbeat));
            let received = tokio::select! {
                received = timeout_at(time, self.subscription.receive()) => received.ok(),
                () = self.state.drain.stopping() => return Err(End::Stop),
            };
            if expires_at.is_some_and(|at| at <= Instant::now()) {
                return Err(End::Access);
            }
            let bytes = match received {
                Some(Received::Batch(batch)) => self.batch(&batch).await?,
                Some(Received::Lagged) => return Err(End::TooSlow),
                // With the position: the next connection continues there, although nothing was for this reader.
                None => self.heartbeat(),
            };
            if !bytes.is_empty() {
                return Ok(bytes);
            }
        }
    }

    /// The position up to which the client has everything.
    fn delivered(&self) -> EventPosition {
        match self.with_posts.front() {
            Some(told) => told.position.before(),
            None => self.position,
        }
    }

    fn heartbeat(&self) -> Bytes {
        format!(": heartbeat\nid: {}\n\n", self.delivered()).into()
    }

    /// The next post, or a part of the log that no batch had.
    async fn catch_up(&mut self) -> Result<Bytes, End> {
        if self.state.drain.is_stopping() {
            return Err(End::Stop);
        }
        // The batches that would tell are behind what is read here. The client may take hours for the posts of
        // a page.
        self.check_identity().await?;
        match self.with_posts.pop_front() {
            Some(told) => self.with_post(told).await,
            None => self.read_log().await,
        }
    }

    async fn read_log(&mut self) -> Result<Bytes, End> {
        let (after, last) = (self.position, self.known);
        let kinds = self.subscription.kinds();
        let page = attempt(async || {
            let _place = self.subscription.place_to_read().await;
            events::read(&self.state.db.read_list(), after, last, kinds, PAGE).await
        });
        let page = page.await?;
        let extent = attempt(async || events::extent(&self.state.db).await).await?;
        if after < extent.before_first {
            // Events were removed before they were read.
            (self.position, self.known) = (extent.last, extent.last);
            return Ok(note("reset", extent.last).into());
        }
        Ok(self.deliver(page.events.iter(), page.end))
    }

    async fn batch(&mut self, batch: &Batch) -> Result<Bytes, End> {
        if batch.end < batch.after {
            Box::pin(self.check_identity()).await?;
            (self.position, self.known) = (batch.end, batch.end);
            return Ok(note("reset", batch.end).into());
        }
        let user = self.reader.viewer.user;
        let ends_access =
            |event: &Event| event.actor_id == user && ACCESS_KINDS.contains(event.kind);
        // Also an event before the position: the stream may have begun at the end of the log, before it came.
        if user.is_some() && batch.events.iter().any(ends_access) {
            Box::pin(self.check_identity()).await?;
        }
        if batch.end <= self.position {
            return Ok(Bytes::new());
        }
        let position = self.position;
        let new = batch.events.iter();
        let new = new.filter(|event| event.position > position);
        if batch.after > position || !batch.kinds.contains_all(self.subscription.kinds()) {
            // It was read before this reader came.
            self.known = batch.end;
            return Ok(Bytes::new());
        }
        self.known = batch.end;
        Ok(self.deliver(new, batch.end))
    }

    fn deliver<'a>(
        &mut self,
        mut new: impl Iterator<Item = &'a Event>,
        end: EventPosition,
    ) -> Bytes {
        let reader = &self.reader;
        let mut bytes = Vec::new();
        while let Some(event) = new.next() {
            let Some(told) = reader.told(event) else {
                continue;
            };
            if reader.with_posts {
                self.with_posts.push_back(told);
                continue;
            }
            let text = || frame(&types::Event::of(&told, None)).into_bytes();
            let part = if told.is_shared {
                Cow::from(&**event.shared.get_or_init(|| text().into()))
            } else {
                Cow::from(text())
            };
            if bytes.is_empty() {
                // Frames are about equally long, but the rest may be for other readers.
                let more = new.size_hint().1.unwrap_or_default().min(MORE_FRAMES);
                bytes.reserve(part.len() * (1 + more));
            }
            bytes.extend_from_slice(&part);
        }
        self.position = end;
        bytes.into()
    }

    /// An event with its post. One at a time: a post has up to 160 kB, and the client may not take it.
    async fn with_post(&self, told: Told) -> Result<Bytes, End> {
        let reader = &self.reader;
        let delivery = attempt(async || reader.with_post(&self.state.db, told).await).await?;
        Ok(delivery.map_or_else(Bytes::new, |delivery| {
            frame(&types::Event::from(&delivery)).into()
        }))
    }

    /// Ends the stream if the credential has ended. Takes over its rights if they have changed.
    async fn check_identity(&mut self) -> Result<(), End> {
        let Some(identity) = &self.identity else {
            return Ok(());
        };
        if identity
            .expires_at
            .is_some_and(|at| at <= OffsetDateTime::now_utc())
        {
            return Err(End::Access);
        }
        let credential = &identity.credential;
        let read = async || {
            let State {
                db, authenticator, ..
            } = &**self.state;
            match authenticator.identity(db, credential.clone()).await {
                Err(Error::InvalidToken) => Ok(None),
                now => now.map(Some),
            }
        };
        let now = attempt(read).await?.ok_or(End::Access)?;
        let identity = Identity {
            scopes: now.scopes.intersection(identity.scopes),
            expires_at: identity.expires_at,
            ..now
        };
        self.reader.viewer = Viewer::from(&identity);
        self.identity = Some(identity);
        Ok(())
    }

    /// When the credential expires, by the clock of the timers. `None` if it does not.
    fn expires_at(&self) -> Option<Instant> {
        let rest = self.identity.as_ref()?.expires_at? - OffsetDateTime::now_utc();
        Instant::now().checked_add(rest.try_into().unwrap_or_default())
    }
}

/// One event of the stream.
fn frame(event: &types::Event) -> String {
    // Serialisation of numbers and strings cannot fail.
    let data = serde_json::to_string(event).unwrap_or_default();
    let (position, kind) = (event.position(), event.kind());
    format!("id: {position}\nevent: {kind}\ndata: {data}\n\n")
}

/// Repeats `read` while the database cannot be reached, for up to 10 s.
async fn attempt<T>(read: impl AsyncFn() -> Result<T, Error>) -> Result<T, End> {
    for _ in 0..ATTEMPTS {
        match read().await {
            Ok(value) => return Ok(value),
            Err(error) => tracing::debug!(error = error.with_cause(), "a stream tries again"),
        }
        sleep(ATTEMPT_PAUSE).await;
    }
    Err(End::Database)
}
