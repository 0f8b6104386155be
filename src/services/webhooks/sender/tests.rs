use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use entity::values::{WebhookSecret, WebhookUrl};
use reqwest::dns::Resolve;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::{Guarded, Lookup, Message, Refused, Sender, System};
use crate::{config::WebhookSettings, services::webhooks::Policy};

/// A name server that answers with another address from the second question on.
#[derive(Clone, Default)]
struct Rebinding(Arc<AtomicUsize>);

impl Lookup for Rebinding {
    async fn lookup(self, _: String) -> io::Result<Vec<SocketAddr>> {
        let is_first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if is_first { 2 } else { 1 };
        Ok(vec![([127, 0, 0, address], 0).into()])
    }
}

fn policy(network: &str) -> Policy {
    Policy::new(WebhookSettings {
        allow_http: true,
        networks: vec![network.parse().unwrap()],
        ..WebhookSettings::default()
    })
}

#[tokio::test]
async fn a_host_that_changes_its_address_is_refused() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut socket = BufReader::new(socket);
            let mut line = String::new();
            // The body is one line without an end, and the last part of the request.
            while !line.ends_with("{}") {
                let read = socket.read_line(&mut line).await.unwrap();
                if read == 0 || line.ends_with("\r\n\r\n") {
                    break;
                }
            }
            let answer = b"HTTP/1.1 204 -\r\nConnection: close\r\n\r\n";
            let _ = socket.get_mut().write_all(answer).await;
        }
    });
    let lookup = Rebinding::default();
    let sender = Sender::with_lookup(policy("127.0.0.2/32"), lookup.clone()).unwrap();
    let url = WebhookUrl::parse(format!("http://rebinding.example:{port}/")).unwrap();
    let secret = WebhookSecret::random();
    let message = Message {
        id: "evt_1",
        body: "{}",
        secrets: vec![&secret],
    };
    let first = sender.send(&url, &message).await.unwrap();
    assert_eq!(first.status, Some(204), "{first:?}");
    let second = sender.send(&url, &message).await.unwrap();
    assert_eq!(
        second.error,
        Some("the host does not exist, or has no public address")
    );
    assert_eq!(lookup.0.load(Ordering::SeqCst), 2);
    assert_eq!(served.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn names_are_resolved_under_the_policy() {
    let localhost = || "localhost".parse().unwrap_or_else(|_| panic!("not a name"));
    let policies = [policy("127.0.0.0/8"), Policy::default()];
    let [permitting, refusing] = policies.map(|policy| Guarded {
        policy,
        lookup: System,
    });
    let mut found = permitting.resolve(localhost()).await.unwrap();
    assert!(found.all(|address| address.ip().is_loopback()));
    let refused = refusing.resolve(localhost()).await.err().unwrap();
    assert!(refused.is::<Refused>(), "{refused}");
}
