//! An endpoint that gets webhooks.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

/// How an endpoint answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status with header lines, each with its line end, and a body.
    Status(u16, &'static str, String),
    /// Nothing, until the client goes.
    Silence,
    /// A status, once the test permits it.
    Held(u16, Arc<Notify>),
    /// 200 with a body of 100 MB.
    Flood,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::Status(status, "", String::new())
    }
}

/// A request that an endpoint got.
#[derive(Debug)]
pub struct Message {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Message {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("not JSON")
    }

    /// The event.
    pub fn event(&self) -> Value {
        self.json()["data"].clone()
    }

    /// Whether the receiver's library accepts the message with `secret`.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let receiver = standardwebhooks::Webhook::new(secret).expect("no secret");
        receiver.verify(self.body.as_bytes(), &self.headers).is_ok()
    }
}

/// An endpoint on a port of its own. It answers with 204, unless told otherwise.
pub struct Endpoint {
    pub url: String,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    messages: mpsc::UnboundedReceiver<Message>,
    /// Bytes of answers that clients took.
    pub sent: Arc<AtomicUsize>,
}

impl Endpoint {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("no port");
        let url = format!("http://{}/hook", listener.local_addr().expect("no address"));
        let (sender, messages) = mpsc::unbounded_channel();
        let replies = Arc::<Mutex<VecDeque<Reply>>>::default();
        let sent = Arc::<AtomicUsize>::default();
        let (queue, count) = (Arc::clone(&replies), Arc::clone(&sent));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (queue, sender) = (Arc::clone(&queue), sender.clone());
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some(message) = read(&mut stream).await {
                        let reply = queue.lock().unwrap().pop_front();
                        let _ = sender.send(message);
                        let reply = reply.unwrap_or_else(|| Reply::status(204));
                        if answer(stream.get_mut(), reply, &count).await.is_none() {
                            return;
                        }
                    }
                });
            }
        });
        Self {
            url,
            replies,
            messages,
            sent,
        }
    }

    /// Answers the next requests so.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap().extend(replies);
    }

    pub async fn next(&mut self) -> Message {
        let message = timeout(Duration::from_secs(45), self.messages.recv());
        message.await.expect("no message").expect("no endpoint")
    }

    /// The event of the next message.
    pub async fn event(&mut self) -> Value {
        self.next().await.event()
    }

    /// Whether no message has come so far.
    pub fn is_idle(&mut self) -> bool {
        self.messages.try_recv().is_err()
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Message> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HeaderMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let name = HeaderName::from_bytes(name.as_bytes()).expect("not a name");
        headers.insert(name, HeaderValue::from_str(value).expect("not a value"));
    }
    let length = headers["content-length"].to_str().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Message {
        path,
        headers,
        body: String::from_utf8(body).expect("not UTF-8"),
    })
}

async fn answer(stream: &mut TcpStream, reply: Reply, sent: &AtomicUsize) -> Option<()> {
    match reply {
        Reply::Status(status, headers, body) => {
            let length = body.len();
            let text =
                format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
            stream.write_all(text.as_bytes()).await.ok()
        }
        Reply::Held(status, permit) => {
            permit.notified().await;
            let text = format!("HTTP/1.1 {status} -\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(text.as_bytes()).await.ok()
        }
        Reply::Silence => {
            let _ = stream.read(&mut [0]).await;
            None
        }
        Reply::Flood => {
            let head = "HTTP/1.1 200 -\r\ncontent-length: 100000000\r\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            let chunk = [b'x'; 10_000];
            for _ in 0..10_000 {
                stream.write_all(&chunk).await.ok()?;
                sent.fetch_add(chunk.len(), Ordering::SeqCst);
                // Not faster than a client that reads.
                sleep(Duration::from_micros(100)).await;
            }
            None
        }
    }
}
