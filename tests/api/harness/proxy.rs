//! A TCP proxy that can interrupt its connections, and lead further ones to another server.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use url::Url;

/// A proxy to the server of a URL.
pub struct Proxy {
    /// The URL, with the address of the proxy.
    pub url: Url,
    link: watch::Sender<Link>,
    far: watch::Sender<SocketAddr>,
    /// The number of connections so far.
    accepted: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Link {
    Open,
    /// Further connections are closed at once.
    Full,
    /// All connections are closed.
    Cut,
    /// Nothing is forwarded until the link is open again, and then all of it.
    Silent,
}

impl Proxy {
    pub async fn to(url: &str) -> Self {
        let mut url = Url::parse(url).expect("not a URL");
        let far = watch::Sender::new(address(&url));
        let chosen = far.subscribe();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("no port");
        let near = listener.local_addr().expect("no address");
        url.set_ip_host(near.ip()).expect("no host");
        url.set_port(Some(near.port())).expect("no port");
        let link = watch::Sender::new(Link::Open);
        let state = link.subscribe();
        let accepted = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let link = state.clone();
                let far = *chosen.borrow();
                tokio::spawn(async move {
                    let mut cut = link.clone();
                    tokio::select! {
                        () = forward(near, far, link) => {}
                        // Dropping the streams closes the connections.
                        _ = cut.wait_for(|link| *link == Link::Cut) => {}
                    }
                });
            }
        });
        Self {
            url,
            link,
            far,
            accepted,
        }
    }

    pub fn set(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// Leads further connections to the server of `url`.
    pub fn lead_to(&self, url: &str) {
        let url = Url::parse(url).expect("not a URL");
        self.far.send_replace(address(&url));
    }

    /// The number of connections so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

fn address(url: &Url) -> SocketAddr {
    url.socket_addrs(|| Some(5432)).expect("no address")[0]
}

/// Returns when both sides have ended.
async fn forward(mut near: TcpStream, far: SocketAddr, mut link: watch::Receiver<Link>) {
    if matches!(*link.borrow(), Link::Full | Link::Cut) || until_open(&mut link).await.is_none() {
        return;
    }
    // The server may be away. Dropping `near` tells.
    if let Ok(mut far) = TcpStream::connect(far).await {
        let (mut from_near, mut to_near) = near.split();
        let (mut from_far, mut to_far) = far.split();
        tokio::join!(
            copy(&mut from_near, &mut to_far, link.clone()),
            copy(&mut from_far, &mut to_near, link)
        );
    }
}

/// Copies what comes while `link` forwards, and then the end of the stream.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut link: watch::Receiver<Link>,
) {
    let mut buffer = [0; 8192];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or_default();
        if until_open(&mut link).await.is_none() {
            return;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}

/// Waits while `link` is silent. `None` if the proxy was dropped.
async fn until_open(link: &mut watch::Receiver<Link>) -> Option<()> {
    let open = link.wait_for(|link| *link != Link::Silent).await;
    open.ok().map(drop)
}
