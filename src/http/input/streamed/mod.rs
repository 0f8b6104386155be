//! A JSON object that can be larger than memory. Its lists are read part by part.
//!
//! `serde_json` reads from a blocking reader, so that it runs on a thread of its own. The thread, both
//! channels and the handler have one chunk or one part each.

mod split;

use std::{
    future::{Ready, pending, ready},
    time::Duration,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Bytes};
use futures_util::StreamExt;
use serde_json::value::RawValue;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::{JoinHandle, spawn_blocking},
    time::{Instant, timeout},
};

use self::split::split;
use super::body::{Accepted, Format, content_length};
use crate::{
    error::FieldError,
    http::{MAX_BODY_BYTES, Problem, State, connections::body_was_read},
};

/// Maximum size of a streamed body, in bytes.
pub const MAX_STREAMED_BYTES: usize = 256 * 1024 * 1024;
/// While the service waits for the client, the average rate must be higher than this number of bytes in a
/// second.
const MIN_RATE: u64 = 100_000;
/// Time that a client gets in addition. It cannot be saved up.
const ALLOWANCE: Duration = Duration::from_secs(30);
/// Time between two looks at whether the server is stopping.
const STOP_CHECK: Duration = Duration::from_secs(1);

/// A member of the object that is read. The others are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// One value.
    Value(&'static str),
    /// An array of rows.
    List(&'static str),
}

impl Member {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Value(name) | Self::List(name) => name,
        }
    }
}

/// Rows of one member, in order.
#[derive(Debug)]
pub struct Part {
    /// The member.
    pub member: Member,
    /// The place of the first row in the array.
    pub index: usize,
    /// The JSON of each row. At least one.
    pub rows: Vec<Box<RawValue>>,
}

/// The body of a request, of which nothing was read yet. Rejects with 400, 413 or 415.
pub struct StreamedBody {
    request: HttpRequest,
    payload: Payload,
}

impl FromRequest for StreamedBody {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        ready(Format::of(&request, Accepted::Json).and_then(|_| {
            if content_length(&request).is_some_and(|length| length > MAX_STREAMED_BYTES) {
                return Err(Problem::too_large(MAX_STREAMED_BYTES));
            }
            Ok(Self { request, payload })
        }))
    }
}

impl StreamedBody {
    /// Reads `members` of the object.
    #[must_use]
    pub fn parts(self, members: &'static [Member]) -> Parts {
        let (chunk_sender, chunks) = channel(1);
        let (part_sender, parts) = channel(1);
        let thread = spawn_blocking(move || split(chunks, part_sender, members));
        let input = Input {
            body: self,
            left: MAX_STREAMED_BYTES,
            patience: ALLOWANCE,
            chunks: Some(chunk_sender),
        };
        Parts {
            input,
            read: parts,
            thread,
        }
    }
}

/// The parts of a body. Dropping it ends the thread.
pub struct Parts {
    input: Input,
    read: Receiver<Part>,
    thread: JoinHandle<serde_json::Result<()>>,
}

impl Parts {
    /// The next part. `None` at the end of the object; it must not be called again then.
    ///
    /// # Errors
    /// 400, 408, 413 or 422; 503 if the server is stopping.
    pub async fn next(&mut self) -> Result<Option<Part>, Problem> {
        loop {
            self.input.check_stop()?;
            let part = tokio::select! {
                biased;
                part = self.read.recv() => part,
                fed = self.input.feed() => {
                    fed?;
                    continue;
                }
            };
            if part.is_some() {
                return Ok(part);
            }
            let ended = (&mut self.thread).await;
            let ended = ended.map_err(|error| Problem::internal(error.to_string()))?;
            return ended.map(|()| None).map_err(|error| problem(&error));
        }
    }
}

/// The bytes for the thread.
struct Input {
    body: StreamedBody,
    /// The number of bytes that the body may still have.
    left: usize,
    /// The time that the client still has.
    patience: Duration,
    /// `None` after the end of the body or of the thread.
    chunks: Option<Sender<Bytes>>,
}

impl Input {
    /// Sends the next bytes to the thread once it has taken the last ones. Cancel safe.
    async fn feed(&mut self) -> Result<(), Problem> {
        let Some(chunks) = &self.chunks else {
            return pending().await;
        };
        let permit = chunks.clone().reserve_owned().await;
        let chunk = match permit {
            Ok(permit) => self.receive().await?.map(|chunk| permit.send(chunk)),
            Err(_) => None,
        };
        self.chunks = chunk;
        Ok(())
    }

    /// The next bytes of the body. `None` at its end.
    async fn receive(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let began = Instant::now();
            let wait = STOP_CHECK.min(self.patience);
            let chunk = timeout(wait, self.body.payload.next()).await;
            self.patience = self.patience.saturating_sub(began.elapsed());
            match chunk {
                Ok(None) => {
                    body_was_read(&self.body.request);
                    return Ok(None);
                }
                Ok(Some(Ok(chunk))) => {
                    let left = self.left.checked_sub(chunk.len());
                    self.left = left.ok_or_else(|| Problem::too_large(MAX_STREAMED_BYTES))?;
                    let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                    let earned = Duration::from_micros(bytes.saturating_mul(1_000_000) / MIN_RATE);
                    self.patience = ALLOWANCE.min(self.patience + earned);
                    return Ok(Some(chunk));
                }
                Ok(Some(Err(_))) => {
                    return Err(Problem::malformed("the request body is incomplete"));
                }
                Err(_) if self.patience.is_zero() => return Err(Problem::body_timeout()),
                Err(_) => self.check_stop()?,
            }
        }
    }

    fn check_stop(&self) -> Result<(), Problem> {
        if State::of(&self.body.request)?.drain.is_stopping() {
            return Err(Problem::unavailable("the server is stopping", None));
        }
        Ok(())
    }
}

/// The messages of `serde` could repeat a value of the body.
fn problem(error: &serde_json::Error) -> Problem {
    let place = format!("at line {} column {}", error.line(), error.column());
    let invalid =
        |code, rule| Problem::invalid(vec![FieldError::new("", code, format!("{rule}, {place}"))]);
    if error.is_data() {
        invalid(
            "type",
            "the body must be a JSON object with arrays of rows".to_owned(),
        )
    } else if error.is_io() {
        let rule = format!("a row must not be longer than {MAX_BODY_BYTES} bytes");
        invalid("length", rule)
    } else {
        Problem::malformed(format!("the body is not valid JSON {place}"))
    }
}
