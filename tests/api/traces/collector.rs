//! A collector that keeps the spans it gets by OTLP over HTTP.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::{self, status::StatusCode},
};
use prost::Message;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A collector on a port of its own.
pub struct Collector {
    pub url: String,
    received: Arc<Mutex<Received>>,
}

/// What a collector got.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub connections: usize,
    /// The request lines and headers, in lower case.
    pub heads: Vec<String>,
    pub resource: BTreeMap<String, String>,
    pub spans: Vec<Span>,
}

/// A span with its ids in hexadecimal digits. `parent` is empty for a root.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: String,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub kind: v1::span::SpanKind,
    pub is_error: bool,
    pub attributes: BTreeMap<String, String>,
    pub links: Vec<String>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("no port");
        let address = listener.local_addr().expect("no address");
        let received = Arc::<Mutex<Received>>::default();
        let shared = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self {
            url: format!("http://{address}"),
            received,
        }
    }

    /// The URL of one that is not there.
    pub fn away() -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("no port");
        format!("http://{}", listener.local_addr().expect("no address"))
    }

    pub fn received(&self) -> Received {
        self.received.lock().unwrap().clone()
    }
}

/// Reads requests until the client closes the connection.
async fn serve(stream: TcpStream, received: Arc<Mutex<Received>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or_default() == 0 {
                return;
            }
        }
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.expect("no length").parse().expect("not a length");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("no body");
        let export = ExportTraceServiceRequest::decode(&*body).expect("not protobuf");
        received.lock().unwrap().add(head, export);
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.expect("not sent");
    }
}

impl Received {
    fn add(&mut self, head: String, export: ExportTraceServiceRequest) {
        self.heads.push(head);
        for of_resource in export.resource_spans {
            let resource = of_resource.resource.expect("no resource");
            self.resource = attributes(resource.attributes);
            let spans = of_resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans);
            self.spans.extend(spans.map(Span::from));
        }
    }

    /// The only span with this name.
    #[track_caller]
    pub fn span(&self, name: &str) -> &Span {
        let mut named = self.spans.iter().filter(|span| span.name == name);
        let span = named
            .next()
            .unwrap_or_else(|| panic!("no {name} in {self:#?}"));
        assert!(named.next().is_none(), "several spans {name}");
        span
    }

    pub fn children(&self, of: &Span) -> Vec<&Span> {
        let spans = self.spans.iter();
        spans.filter(|span| span.parent == of.id).collect()
    }
}

impl From<v1::Span> for Span {
    fn from(span: v1::Span) -> Self {
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        let code = span.status.as_ref().map(v1::Status::code);
        let status = span.status.map(|status| status.message).unwrap_or_default();
        assert_eq!(status, "", "may have private data");
        Self {
            kind: v1::span::SpanKind::try_from(span.kind).expect("no kind"),
            name: span.name,
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            is_error: code == Some(StatusCode::Error),
            attributes: attributes(span.attributes),
            links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
        }
    }
}

fn attributes(list: Vec<KeyValue>) -> BTreeMap<String, String> {
    let pairs = list.into_iter();
    pairs.map(|pair| (pair.key, text(pair.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::ArrayValue(list)) => {
            let texts: Vec<String> = list.values.into_iter().map(Some).map(text).collect();
            format!("[{}]", texts.join(","))
        }
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<Vec<_>>().concat()
}
