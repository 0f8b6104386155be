//! A long storm without faults: memory and open files.

use tokio::time::sleep;

use crate::{
    Length,
    harness::{Fixture, apply, behaviour},
    servers::Server,
    storm::Storm,
};

/// Prints memory and open files ten times.
#[apply(behaviour)]
async fn a_soak_keeps_every_write(fixture: Fixture) {
    let server = Server::start(&fixture).await;
    let storm = Storm::start(&[&server.base]).await;
    for tenth in 1..=10 {
        sleep(Length::chosen().soak / 10).await;
        let running = server.running();
        eprintln!(
            "{}, {tenth}/10: {} writes, {} KiB, {} open files",
            fixture.kind,
            storm.seen().writes,
            running.resident(),
            running.open_files()
        );
    }
    storm.end(&fixture).await;
    server.stop().await;
}
