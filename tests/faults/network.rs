//! Networks between clients and servers that stop.

use tokio::time::sleep;

use crate::{
    Length,
    harness::{
        Fixture, apply, behaviour,
        proxy::{Link, Proxy},
    },
    servers::Server,
    storm::Storm,
};

/// The clients do not learn which of their requests arrived.
#[apply(behaviour)]
async fn a_network_that_breaks_loses_and_doubles_nothing(fixture: Fixture) {
    let Length {
        kills,
        writes,
        outage,
        ..
    } = Length::chosen();
    let server = Server::start(&fixture).await;
    let proxy = Proxy::to(&server.base).await;
    let base = proxy.url.as_str().trim_end_matches('/');
    let storm = Storm::start(&[base]).await;
    storm.wait_for(writes).await;
    proxy.set(Link::Silent);
    sleep(outage).await;
    proxy.set(Link::Open);
    for _ in 0..kills {
        storm.wait_for(writes).await;
        storm.reset();
        proxy.set(Link::Cut);
        storm.wait_until(|seen| seen.broken > 0).await;
        proxy.set(Link::Open);
    }
    storm.wait_for(writes).await;
    storm.end(&fixture).await;
    server.stop().await;
}
