use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use entity::values::{WebhookSecret, WebhookUrl};
use reqwest::dns::{Name, Resolve, Resolving};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Guarded, Message, Sender};
use crate::{config::WebhookSettings, services::webhooks::Policy};

fn resolver(policy: Policy) -> (Arc<AtomicUsize>, impl Resolve + 'static) {
    struct Rebinding(Arc<AtomicUsize>, Policy);
    impl Resolve for Rebinding {
        fn resolve(&self, _: Name) -> Resolving {
            let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
            let address = if first { "127.0.0.2:0" } else { "127.0.0.1:0" };
            let found = address.parse::<SocketAddr>().into_iter();
            let permitted = super::permitted(&self.1, found);
            Box::pin(async move { super::addresses(permitted) })
        }
    }
    let calls = Arc::new(AtomicUsize::new(0));
    (Arc::clone(&calls), Rebinding(calls, policy))
}

/// A host that has a permitted address at first, and a refused one at the next connection.
#[tokio::test]
async fn a_host_that_changes_its_address_is_refused() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = socket.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            let _ = socket.write_all(answer).await;
        }
    });
    let settings = WebhookSettings {
        allow_http: true,
        networks: vec!["127.0.0.2/32".parse().unwrap()],
        ..WebhookSettings::default()
    };
    let policy = Policy::new(settings);
    let (calls, resolver) = resolver(policy.clone());
    let sender = Sender::with_resolver(policy, resolver).unwrap();
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
    assert_eq!(second.error, Some("the host has no public address"));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(served.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn names_are_resolved_under_the_policy() {
    let name = "localhost".parse::<Name>();
    let Ok(name) = name else { panic!("not a name") };
    assert!(Guarded(Policy::default()).resolve(name).await.is_err());
}
